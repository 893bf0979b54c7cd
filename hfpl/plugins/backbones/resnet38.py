"""ResNet-38d [ResNet38], dilated to stride 8.

Pre-activation blocks; parts carry the published names, so that published checkpoints load.
"""

from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, Features

IMAGENET = (
    {
        "options": {},
        "file": "data/ilsvrc-cls_rna-a1_cls1000_ep-0001.params",
        "origin": "shared by their authors at "
        "https://drive.google.com/drive/folders/1y3WjoQLgqbR4q7u9KWPjj4enlLvbn_-P",
    },
)
"""Weights of :class:`hfpl.networks.weights.published.Published`; no checksum is published."""


def build() -> "ResNet38":
    """Build ResNet-38d; it has no options."""
    return ResNet38()


class ResNet38(Backbone):
    """conv1a, then the blocks b2 to b7, each stage's further blocks numbered from 1, and bn7.

    Batch statistics and affine parameters stay as loaded; the first parts are frozen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1a = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self._add("b2", 3, 64, 128, stride=2)
        self._add("b3", 3, 128, 256, stride=2)
        self._add("b4", 6, 256, 512, stride=2)
        self.b5 = _Block(512, 512, 1024, 1, 1, 2)
        self.b5_1 = _Block(1024, 512, 1024, 1, 2, 2)
        self.b5_2 = _Block(1024, 512, 1024, 1, 2, 2)
        self.b6 = _Bottleneck(1024, 2048, dilation=4, dropout=0.3)
        self.b7 = _Bottleneck(2048, 4096, dilation=4, dropout=0.5)
        self.bn7 = nn.BatchNorm2d(4096)
        self.channels = {"conv3": 256, "conv4": 512, "conv5": 1024, "conv6": 4096}
        self.stride = 8
        self.norms_fixed = True
        first = ("conv1a", "b2", "b2_1", "b2_2")
        self.frozen = {"cam": first, "affinity": first, "segment": ("conv1a",)}

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W): 256, 512, 1024 and 4096 channels."""
        x = self.conv1a(images)
        for name in ("b2", "b2_1", "b2_2", "b3", "b3_1", "b3_2"):
            x, _ = self.get_submodule(name)(x)
        x, conv3 = self.b4(x)
        for name in ("b4_1", "b4_2", "b4_3", "b4_4", "b4_5"):
            x, _ = self.get_submodule(name)(x)
        x, conv4 = self.b5(x)
        x, _ = self.b5_1(x)
        x, _ = self.b5_2(x)
        x, conv5 = self.b6(x)
        x, _ = self.b7(x)
        conv6 = functional.relu(self.bn7(x))
        return {"conv3": conv3, "conv4": conv4, "conv5": conv5, "conv6": conv6}

    def _add(self, name: str, blocks: int, inputs: int, outputs: int, stride: int) -> None:
        self.add_module(name, _Block(inputs, outputs, outputs, stride, 1, 1))
        for number in range(1, blocks):
            self.add_module(f"{name}_{number}", _Block(outputs, outputs, outputs, 1, 1, 1))


class _Block(nn.Module):
    """Two 3x3 convolutions, each after BN and ReLU; also returns its activated input."""

    def __init__(
        self, inputs: int, middle: int, outputs: int, stride: int, dilation_1: int, dilation_2: int
    ) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inputs)
        self.conv_branch2a = nn.Conv2d(
            inputs, middle, 3, stride, padding=dilation_1, dilation=dilation_1, bias=False
        )
        self.bn_branch2b1 = nn.BatchNorm2d(middle)
        self.conv_branch2b1 = nn.Conv2d(
            middle, outputs, 3, padding=dilation_2, dilation=dilation_2, bias=False
        )
        self.projects = stride > 1 or inputs != outputs
        if self.projects:
            self.conv_branch1 = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        active = functional.relu(self.bn_branch2a(x))
        shortcut = self.conv_branch1(active) if self.projects else x
        y = self.conv_branch2a(active)
        y = self.conv_branch2b1(functional.relu(self.bn_branch2b1(y)))
        return y + shortcut, active


class _Bottleneck(nn.Module):
    """1x1, dilated 3x3 and 1x1 convolution, each after BN and ReLU, with channel dropout."""

    def __init__(self, inputs: int, outputs: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.bn_branch2a = nn.BatchNorm2d(inputs)
        self.conv_branch2a = nn.Conv2d(inputs, outputs // 4, 1, bias=False)
        self.bn_branch2b1 = nn.BatchNorm2d(outputs // 4)
        self.conv_branch2b1 = nn.Conv2d(
            outputs // 4, outputs // 2, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn_branch2b2 = nn.BatchNorm2d(outputs // 2)
        self.conv_branch2b2 = nn.Conv2d(outputs // 2, outputs, 1, bias=False)
        self.conv_branch1 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        active = functional.relu(self.bn_branch2a(x))
        shortcut = self.conv_branch1(active)
        y = self.conv_branch2a(active)
        y = self.conv_branch2b1(self.dropout(functional.relu(self.bn_branch2b1(y))))
        y = self.conv_branch2b2(self.dropout(functional.relu(self.bn_branch2b2(y))))
        return y + shortcut, active
