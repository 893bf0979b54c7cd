"""ResNet-50 [ResNet50] at stride 8 or 16.

Layers carry torchvision's names, so that its ImageNet weights load. As there, a block that
shrinks does so in its 3x3 convolution.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import Backbone, Features

IMAGENET = (
    {
        "options": {},
        "file": "data/resnet50-0676ba61.pth",
        "sha256": "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        "urls": ("https://download.pytorch.org/models/resnet50-0676ba61.pth",),
        "size": 102530333,
        "origin": "published by torchvision at "
        "https://download.pytorch.org/models/resnet50-0676ba61.pth "
        "('hfpl weights fetch resnet50' takes it from there)",
    },
)
"""Weights of :class:`hfpl.networks.weights.published.Published`, with the classifier's."""


def build(*, stride: Literal[8, 16], frozen_layers: Literal[0, 1, 2, 3, 4]) -> "ResNet50":
    """Build ResNet-50.

    Args:
        stride: 8, with the last two layers dilated, or 16, with the last layer not strided and not
            dilated, as IRN has it.
        frozen_layers: how many of the four layers, the stem before them, the training of CAMs
            leaves alone: 1, or 2 where the gradient stops after the second, as in IRN.
    """
    if stride not in _LAST_LAYERS:
        raise ValueError(f"network.options.stride: ResNet-50 has 8 or 16, found {stride}")
    if frozen_layers not in range(5):
        raise ValueError(f"network.options.frozen_layers: expected 0 to 4, found {frozen_layers}")
    return ResNet50(stride, frozen_layers)


_LAST_LAYERS = {
    8: {"layer3": (1, (1, 2)), "layer4": (1, (2, 4))},
    16: {"layer3": (2, (1, 1)), "layer4": (1, (1, 1))},
}
"""Stride of the whole → stride of each of the last layers, dilations of its first block and of the
others. The first block of a dilated layer still has the dilation of the layer before: it sees that
layer's grid."""


class ResNet50(Backbone):
    """Stem, and four layers of 3, 4, 6 and 3 bottlenecks.

    Batch statistics and affine parameters stay as loaded; the first parts are frozen.
    """

    def __init__(self, stride: int, frozen_layers: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _layer(64, 64, 3, stride=1, dilations=(1, 1))
        self.layer2 = _layer(256, 128, 4, stride=2, dilations=(1, 1))
        last = _LAST_LAYERS[stride]
        self.layer3 = _layer(512, 256, 6, *last["layer3"])
        self.layer4 = _layer(1024, 512, 3, *last["layer4"])
        self.channels = {"conv3": 256, "conv4": 512, "conv5": 1024, "conv6": 2048}
        self.stride = stride
        self.norms_fixed = True
        layers = tuple(f"layer{number + 1}" for number in range(frozen_layers))
        self.frozen = {
            "cam": ("conv1", *layers),
            "affinity": ("conv1", "layer1"),
            "segment": ("conv1",),
        }
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W): 256, 512, 1024 and 2048 channels."""
        x = functional.relu(self.bn1(self.conv1(images)))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        conv3 = self.layer1(x)
        conv4 = self.layer2(conv3)
        conv5 = self.layer3(conv4)
        # At stride 16, of the finer grid the cells that layer3's stride stands on.
        step = self.stride // 8
        conv4 = conv4[:, :, ::step, ::step]
        return {"conv3": conv3, "conv4": conv4, "conv5": conv5, "conv6": self.layer4(conv5)}


def _layer(
    inputs: int, width: int, blocks: int, stride: int, dilations: tuple[int, int]
) -> nn.Sequential:
    """Bottlenecks of one layer; dilations of the first block and of the others."""
    first, rest = dilations
    outputs = 4 * width
    return nn.Sequential(
        _Bottleneck(inputs, width, stride, first),
        *(_Bottleneck(outputs, width, 1, rest) for _ in range(blocks - 1)),
    )


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each followed by BN, around a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))
