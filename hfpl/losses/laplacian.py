"""Graph Laplacian of the feature similarity loss's pair weights, times a set of maps.

The pair weights W of an image are (h * w) x (h * w); here they exist only a block at a time, in
two buffers that every block overwrites. W is symmetric: each pair is weighed once and its weight
used both ways. Source of the weights: docs/method.md, equation (9).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-5
# Rows of the map further apart than this many sigma are left out. The Gaussian beyond holds 4e-8
# of its mass and, where all energy lies across one edge, exp(-5.5^2 / 2) = 3e-7 of the loss.
REACH_IN_SIGMA = 5.5
# Beyond this |mu|, tanh is +-1 in float32 for every colour difference.
SATURATED_MU = 20.0
# Pairs of positions per block. On a CPU the two buffers (1 MiB each) should stay in the
# second-level cache; on a GPU a block should outweigh the launch of its dozen kernels.
CPU_BLOCK_PAIRS = 1 << 18
GPU_BLOCK_PAIRS = 1 << 23


def laplacian_product(
    maps: Tensor, colours: Tensor, mu: float, sigma: float | None, repel: float = 1.0
) -> Tensor:
    """``(diag(W 1) - W) y`` for every map y.

    ``w_ij = g_ij tanh(mu + ln((d_ij + 1e-5) / (1 - d_ij + 1e-5)))`` with d the mean absolute
    colour difference of two positions and g the Gaussian ``exp(-r^2 / (2 sigma^2)) / (2 pi
    sigma^2)`` of their distance r, or 1 / (h w) where sigma is None. Weights above zero, those of
    unlike colours, are multiplied by ``repel``. On a CPU, maps that are zero everywhere are
    skipped.

    Shape:
        maps: float32 or float64 (N, C, h * w), without autograd.
        colours: (N, 3, h, w), same dtype, in [0, 1].
        returns: as maps.
    """
    if maps.device.type != "cpu":
        # Counting maps would wait for the device, and costs more than the products it saves.
        return _product(maps, colours, mu, sigma, repel)
    # "Not equal" also keeps NaN.
    present = (maps != 0).any(2)
    most = int(present.sum(1).max())
    if most == 0:
        return torch.zeros_like(maps)
    # Images with fewer maps than others fill up with zero ones.
    index = present.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]
    index = index.unsqueeze(2).expand(-1, -1, maps.shape[2])
    product = _product(maps.gather(1, index), colours, mu, sigma, repel)
    return torch.zeros_like(maps).scatter_(1, index, product)


def _product(maps: Tensor, colours: Tensor, mu: float, sigma: float | None, repel: float) -> Tensor:
    count, _, size = maps.shape
    height, width = colours.shape[2:]
    reach = height - 1 if sigma is None else min(height - 1, math.ceil(REACH_IN_SIGMA * sigma))
    budget = CPU_BLOCK_PAIRS if maps.device.type == "cpu" else GPU_BLOCK_PAIRS
    images = min(count, max(1, budget // (width * width * (reach + 1))))
    images = math.ceil(count / math.ceil(count / images))
    blocks = _row_blocks(height, reach, budget // (images * width * width))
    weigh = _PairWeights(_gaussian(blocks, height, width, sigma, maps), mu, repel)
    pairs = max((last - first) * (end - first) for first, last, end in blocks) * width * width
    buffers = maps.new_empty(2, images * pairs)
    # The map of ones makes the degrees.
    factors = torch.cat([maps, maps.new_ones(count, 1, size)], 1)
    product = torch.zeros_like(factors)
    for start in range(0, count, images):
        part = slice(start, start + images)
        _accumulate(product[part], factors[part], colours[part], weigh, buffers, blocks)
    return product[:, -1:] * maps - product[:, :-1]


def _row_blocks(height: int, reach: int, budget: int) -> list[tuple[int, int, int]]:
    """Split the rows into blocks of about ``budget`` pairs of rows.

    Each block (first, last, end) pairs the rows [first, last) with the rows [first, end); the
    rows before ``first`` were paired with it by the blocks before, W being symmetric.
    """
    blocks = []
    first = 0
    while first < height:
        rows = max(1, budget // min(height - first, reach + 1))
        last = min(height, first + rows)
        blocks.append((first, last, min(height, last + reach)))
        first = last
    return blocks


def _accumulate(
    product: Tensor,
    factors: Tensor,
    colours: Tensor,
    weigh: "_PairWeights",
    buffers: Tensor,
    blocks: list[tuple[int, int, int]],
) -> None:
    """Add ``W factors`` to ``product``, both n x M x h * w."""
    width = colours.shape[3]
    channels = colours.flatten(2).unbind(1)
    sources = [channel.unsqueeze(2) for channel in channels]
    targets = [channel.unsqueeze(1) for channel in channels]
    for first, last, end in blocks:
        begin, own, paired = first * width, (last - first) * width, (end - first) * width
        weights = weigh(
            [source.narrow(1, begin, own) for source in sources],
            [target.narrow(2, begin, paired) for target in targets],
            buffers,
        )
        product.narrow(2, begin, own).add_(
            torch.bmm(factors.narrow(2, begin, paired), weights.transpose(1, 2))
        )
        if end > last:
            below = weights.narrow(2, own, paired - own)
            product.narrow(2, begin + own, paired - own).add_(
                torch.bmm(factors.narrow(2, begin, own), below)
            )


class _PairWeights:
    """Weights of one block of pairs.

    With a = d + e and b = 1 - d + e, ``tanh(mu + ln(a / b))`` is rational:
    ``2 k / ((b / a)^2 + k) - 1`` with k = exp(2 mu). a and b are held times three, which spares
    the division of the colour difference.
    """

    def __init__(self, gaussian: Tensor, mu: float, repel: float) -> None:
        self.repel = repel
        k = math.exp(2 * min(SATURATED_MU, max(-SATURATED_MU, mu)))
        self.negative_gaussian = -gaussian
        self.scaled_gaussian = gaussian * (2 * k)
        # Scalars as tensors, because wrapping a Python number costs more than a small block.
        self.k = gaussian.new_full((), k)
        self.nearest = gaussian.new_full((), 3 * EPSILON)
        self.farthest = gaussian.new_full((), 3 + 3 * EPSILON)

    def __call__(self, sources: list[Tensor], targets: list[Tensor], buffers: Tensor) -> Tensor:
        """Weights (n, S, T) of colours n x S x 1 and n x 1 x T, lying in the buffers."""
        count, own, paired = len(sources[0]), sources[0].shape[1], targets[0].shape[2]
        distance, other = buffers[:, : count * own * paired].view(2, count, own, paired)
        torch.sub(sources[0], targets[0], out=distance).abs_()
        for source, target in zip(sources[1:], targets[1:], strict=True):
            distance.add_(torch.sub(source, target, out=other).abs_())
        torch.sub(self.farthest, distance, out=other)
        other.div_(distance.add_(self.nearest))
        torch.addcmul(self.k, other, other, out=other)
        negative, scaled = self.negative_gaussian, self.scaled_gaussian
        weights = torch.addcdiv(negative[:own, :paired], scaled[:own, :paired], other, out=other)
        if self.repel != 1:
            # Of the negated weights, the leaky part are those that repel.
            functional.leaky_relu_(weights.neg_(), self.repel).neg_()
        return weights


def _gaussian(
    blocks: list[tuple[int, int, int]], height: int, width: int, sigma: float | None, like: Tensor
) -> Tensor:
    """g between the first rows of the map, large enough for every block.

    The same numbers serve all blocks, since g depends on the distance alone. A position paired
    with itself has the largest g of all and cancels in L: its g is set to 0, which spares L the
    rounding error.
    """
    rows = max(last - first for first, last, _ in blocks)
    reached = max(end - first for first, _, end in blocks)
    if sigma is None:
        uniform = like.new_full((rows * width, reached * width), 1 / (height * width))
        return uniform.fill_diagonal_(0)

    def profile(sources: int, targets: int) -> Tensor:
        source, target = (
            torch.arange(n, dtype=torch.float64, device=like.device) for n in (sources, targets)
        )
        return torch.exp(-0.5 * ((source[:, None] - target) / sigma) ** 2)

    vertical = (profile(rows, reached) / (2 * math.pi * sigma**2)).to(like)
    return torch.kron(vertical, profile(width, width).to(like)).fill_diagonal_(0)
