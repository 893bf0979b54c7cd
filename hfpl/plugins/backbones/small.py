"""A small residual network for small images: trains on two CPU cores in minutes."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, Features
from hfpl.sections.section import Count, Width


def build(
    *,
    stride: Literal[4, 8],
    widths: Annotated[list[Width], Field(min_length=5, max_length=5)],
    blocks: Annotated[list[Count], Field(min_length=4, max_length=4)],
    train_batchnorm: bool,
) -> "SmallBackbone":
    """Build the small backbone.

    Args:
        stride: 4 or 8.
        widths: channels of the stem and of the four stages after it.
        blocks: residual blocks of each of the four stages.
        train_batchnorm: learn batch statistics, as a network trained from scratch must.
    """
    if stride not in (4, 8):
        raise ValueError(f"network.options.stride: the small backbone has 4 or 8, found {stride}")
    if len(widths) != 5 or min(widths) < 1:
        raise ValueError(f"network.options.widths: expected five positive widths, found {widths}")
    if len(blocks) != 4 or min(blocks) < 1:
        raise ValueError(f"network.options.blocks: expected four positive counts, found {blocks}")
    return SmallBackbone(stride, widths, blocks, train_batchnorm)


class SmallBackbone(Backbone):
    """Stem at half resolution, then four stages of residual blocks, the last two dilated."""

    def __init__(
        self, stride: int, widths: list[int], blocks: list[int], train_batchnorm: bool
    ) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = widths
        self.conv1 = nn.Conv2d(3, w1, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(w1)
        b2, b3, b4, b5 = blocks
        self.stage2 = _stage(w1, w2, b2, stride=2, dilation=1)
        self.stage3 = _stage(w2, w3, b3, stride=2 if stride == 8 else 1, dilation=1)
        self.stage4 = _stage(w3, w4, b4, stride=1, dilation=2)
        self.stage5 = _stage(w4, w5, b5, stride=1, dilation=2)
        self.channels = {"conv3": w2, "conv4": w3, "conv5": w4, "conv6": w5}
        self.stride = stride
        self.norms_fixed = not train_batchnorm
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W)."""
        x = functional.relu(self.bn1(self.conv1(images)))
        conv3 = self.stage2(x)
        conv4 = self.stage3(conv3)
        conv5 = self.stage4(conv4)
        return {"conv3": conv3, "conv4": conv4, "conv5": conv5, "conv6": self.stage5(conv5)}

    def begin_from_scratch(self) -> None:
        """What its option says of batch statistics holds all the same."""


def _stage(inputs: int, outputs: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
    first = _Block(inputs, outputs, stride, dilation)
    return nn.Sequential(first, *(_Block(outputs, outputs, 1, dilation) for _ in range(blocks - 1)))


class _Block(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))
