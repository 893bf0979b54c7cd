"""What every backbone offers the networks that stand on it."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn


class Features(NamedTuple):
    """Features of a backbone at its stride, in the published networks' naming.

    Shapes:
        conv4, conv5, conv6: (N, D4, h, w), (N, D5, h, w), (N, D6, h, w) with
        h = ceil(H / stride), w = ceil(W / stride).
    """

    conv4: Tensor
    conv5: Tensor
    conv6: Tensor


class Backbone(Protocol):
    """A network from images (N, 3, H, W), normalised, to :class:`Features`.

    Attributes:
        channels: widths of conv4, conv5 and conv6.
        stride: pixels per cell of the features.
        trains_batchnorm: whether batch statistics are learned; if not, they stay as loaded.
        frozen: names of the parts that training leaves alone, by stage.
    """

    channels: tuple[int, int, int]
    stride: int
    trains_batchnorm: bool
    frozen: dict[str, tuple[str, ...]]

    def __call__(self, images: Tensor) -> Features: ...


def freeze(backbone: nn.Module, stage: str) -> None:
    """Take the parts that a stage does not train out of the gradient."""
    for part in backbone.frozen.get(stage, ()):
        backbone.get_submodule(part).requires_grad_(False)
    if not backbone.trains_batchnorm:
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.requires_grad_(False)


class StandsOnBackbone(nn.Module):
    """Base of the networks: a backbone and the new layers above it.

    Batch normalisation of the backbone stays in evaluation mode where it is not trained.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def new_layers(self) -> list[nn.Module]:
        """The layers that start from random weights."""
        return [module for name, module in self.named_children() if name != "backbone"]

    def train(self, mode: bool = True) -> "StandsOnBackbone":
        """As :meth:`torch.nn.Module.train`, but for batch statistics that are fixed."""
        super().train(mode)
        if not self.backbone.trains_batchnorm:
            for module in self.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
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
