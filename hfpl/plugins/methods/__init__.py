"""CAM methods: one file each, loaded by name.

A method's file defines ``build(backbone, num_classes, *, <options>) -> MethodNetwork``; its
keyword arguments are what ``cam.methods.<name>`` of the parameters may hold. It knows nothing of
the added losses: they attach to what its network returns (:mod:`hfpl.stages.cam.addon`).
"""

from importlib import import_module
from typing import Any

from torch import nn

from hfpl.plugins.methods.interface import MethodNetwork


def build_method(
    name: str, backbone: nn.Module, num_classes: int, options: dict[str, Any]
) -> MethodNetwork:
    """Build ``hfpl/plugins/methods/<name>.py`` on a backbone for K foreground classes."""
    return import_module(f"{__name__}.{name}").build(backbone, num_classes, **options)
