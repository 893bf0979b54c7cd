"""Backbones: one file each, loaded by name.

A backbone's file defines ``build(*, <options>) -> Backbone``; its keyword arguments are what
``network.options`` of the parameters may hold.
"""

from importlib import import_module
from typing import Any

from hfpl.networks.interface import Backbone


def build_backbone(name: str, options: dict[str, Any]) -> Backbone:
    """Build ``hfpl/plugins/backbones/<name>.py`` with its options; weights are random."""
    return import_module(f"{__name__}.{name}").build(**options)
