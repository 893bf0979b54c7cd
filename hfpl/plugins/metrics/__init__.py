"""Metrics: one file each, loaded by name.

A metric's file defines ``COLUMNS``, how tables show it, and ``build(num_classes) -> Metric``
(:mod:`hfpl.plugins.metrics.interface`). The parameter ``evaluate.metrics`` lists those that are
measured.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from hfpl.plugins.metrics.interface import Columns, Metric
from hfpl.sections.plugins import plugin_names

MIOU = "miou"
"""The metric that comes first, and that the threshold curve of CAMs is of."""


def build_metric(name: str, num_classes: int) -> Metric:
    """Build ``hfpl/plugins/metrics/<name>.py`` for C classes, background included."""
    return import_module(f"{__name__}.{name}").build(num_classes)


def columns_of(name: str) -> Columns:
    """How tables show ``hfpl/plugins/metrics/<name>.py``."""
    return import_module(f"{__name__}.{name}").COLUMNS


def metrics_in(row: Mapping[str, Any]) -> list[str]:
    """Metrics whose scores a row of a table holds: mIoU first, the others by their names."""
    found = [name for name in plugin_names(__name__) if name in row]
    return sorted(found, key=lambda name: (name != MIOU, name))
