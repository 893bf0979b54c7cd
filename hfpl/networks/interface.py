"""What every backbone offers the networks that stand on it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from hfpl.images.normalise import IMAGENET, ColourStatistics

Features = Mapping[str, Tensor]
"""Maps of a backbone by name, (N, D, h, w) each, with h = ceil(H / stride), w = ceil(W / stride).
``conv4``, ``conv5`` and ``conv6`` are the published networks' names, the deepest last. A backbone
may have ``conv3`` too, on a grid of its own: about four pixels per cell."""

NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)
"""Layers that normalise."""


class Backbone(nn.Module):
    """Base of the backbones: a network from normalised images (N, 3, H, W) to :data:`Features`.

    Attributes:
        channels: name of each map → its width.
        stride: pixels per cell of the maps.
        statistics: of the colours that its weights know; images are normalised by them.
        frozen: stage → names of the parts that its training leaves alone.
        norms_fixed: whether layers that normalise stay as loaded, their statistics included.
        weights_prefix: what its tensors' names begin with and those of its weights' files do not.
    """

    channels: Mapping[str, int]
    stride: int
    statistics: ColourStatistics = IMAGENET
    frozen: Mapping[str, tuple[str, ...]] = {}
    norms_fixed: bool = False
    weights_prefix: str = ""

    def fixed_norms(self) -> list[nn.Module]:
        """Layers that normalise and stay as loaded."""
        if not self.norms_fixed:
            return []
        return [module for module in self.modules() if isinstance(module, NORMS)]

    def begin_from_scratch(self) -> None:
        """Freeze nothing: what is frozen belongs to weights that know something."""
        self.frozen, self.norms_fixed = {}, False


def widths(backbone: Backbone, *names: str) -> tuple[int, ...]:
    """Widths of the maps that a network asks a backbone for.

    Raises:
        ValueError: the backbone has no such map.
    """
    for name in names:
        if name not in backbone.channels:
            raise ValueError(
                f"{type(backbone).__name__} has no map '{name}'; it has "
                f"{', '.join(backbone.channels)}: choose another backbone"
            )
    return tuple(backbone.channels[name] for name in names)


def freeze(backbone: Backbone, stage: str) -> None:
    """Take the parts that a stage does not train out of the gradient."""
    for part in backbone.frozen.get(stage, ()):
        backbone.get_submodule(part).requires_grad_(False)
    for module in backbone.fixed_norms():
        module.requires_grad_(False)


class StandsOnBackbone(nn.Module):
    """Base of the networks: a backbone and the new layers above it.

    Layers of the backbone that normalise stay in evaluation mode where they are fixed.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def new_layers(self) -> list[nn.Module]:
        """The layers that start from random weights."""
        return [module for name, module in self.named_children() if name != "backbone"]

    def train(self, mode: bool = True) -> "StandsOnBackbone":
        """As :meth:`torch.nn.Module.train`, but for norms that are fixed."""
        super().train(mode)
        for module in self.backbone.fixed_norms():
            module.eval()
        return self


def full_precision(x: Tensor) -> Tensor:
    """Half-precision tensors as float32; float32 and float64 stay what they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@torch.no_grad()
def resize_like(image: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Bilinear resize with aligned corners, without gradient."""
    return nn.functional.interpolate(image, size, mode="bilinear", align_corners=True)


def resized(maps: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Maps (N, C, h, w) at another size, bilinear with aligned corners, with gradient."""
    if maps.shape[2:] == size:
        return maps
    return nn.functional.interpolate(maps, size, mode="bilinear", align_corners=True)
