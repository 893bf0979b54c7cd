"""Refiners: one file each, loaded by name.

A refiner's file defines ``TITLE``, its name in tables, and ``build(*, <options>) -> Refiner``
(:mod:`hfpl.plugins.refiners.interface`). The parameters ``pseudo.refiner`` and
``segment.test.refiner`` name one; its keyword arguments are what stands beside them, by its name:
``pseudo.crf``.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from hfpl.plugins.refiners.interface import Refiner


def build_refiner(name: str, options: Mapping[str, Any]) -> Refiner:
    """Build ``hfpl/plugins/refiners/<name>.py`` with its options."""
    return import_module(f"{__name__}.{name}").build(**options)


def title_of(name: str) -> str:
    """What tables of scores call ``hfpl/plugins/refiners/<name>.py``."""
    return import_module(f"{__name__}.{name}").TITLE
