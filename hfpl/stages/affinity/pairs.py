"""Pairs of neighbouring positions and the affinity of their features (AffinityNet [PSA];
docs/method.md, 4.1).

Pairs run from a position to one of its half-plane neighbours, so that every unordered pair
occurs once. "From" positions are those whose neighbours all lie inside the map: y in
[0, h - (r - 1)) and x in [r - 1, w - (r - 1)) for radius r, numbered row by row.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Values taken at once on a CPU, 1 MiB: the differences of one block then stay in its cache, and
# the number of operators small.
CPU_BLOCK = 1 << 18


def pair_offsets(radius: int) -> list[tuple[int, int]]:
    """Offsets (dy, dx) of the half plane with dx² + dy² < radius².

    The order is dy = 0 with dx = 1 .. r - 1, then dy = 1 .. r - 1 with dx ascending. Radius 5
    has 34 offsets, radius 1 none.

    Raises:
        ValueError: radius below 1.
    """
    if radius < 1:
        raise ValueError(f"radius must be at least 1, got {radius}")
    reach = range(1 - radius, radius)
    below = [(dy, dx) for dy in range(1, radius) for dx in reach if dx * dx + dy * dy < radius**2]
    return [(0, dx) for dx in range(1, radius)] + below


def largest_radius(height: int, width: int, radius: int) -> int:
    """The given radius, or the largest that leaves a "from" position in the map; at least 1.

    Raises:
        ValueError: an empty map or a radius below 1.
    """
    if min(height, width, radius) < 1:
        raise ValueError(f"no radius fits a {height} x {width} map with radius {radius}")
    return min(radius, height, (width + 1) // 2)


def from_positions(maps: Tensor, radius: int) -> Tensor:
    """View (..., h - (r - 1), w - 2 (r - 1)) of maps (..., h, w) at the "from" positions.

    Raises:
        ValueError: the map is too small for the radius.
    """
    return to_positions(maps, radius, (0, 0))


def to_positions(maps: Tensor, radius: int, offset: tuple[int, int]) -> Tensor:
    """View like `from_positions`, shifted by the offset (dy, dx).

    Raises:
        ValueError: the map is too small for the radius.
    """
    height, width = maps.shape[-2:]
    _check_fit(height, width, radius)
    top, left = offset[0], radius - 1 + offset[1]
    rows, columns = height - (radius - 1), width - 2 * (radius - 1)
    return maps[..., top : top + rows, left : left + columns]


def pair_indices(
    height: int, width: int, radius: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices y·w + x of both ends of every pair in a map.

    Returns:
        from_index (n_from,) and to_index (P_offsets, n_from), int64.

    Raises:
        ValueError: the map is too small for the radius.
    """
    _check_fit(height, width, radius)
    index = np.arange(height * width).reshape(height, width)
    start = index[: height - (radius - 1), radius - 1 : width - (radius - 1)].reshape(-1)
    shifts = np.array([dy * width + dx for dy, dx in pair_offsets(radius)], dtype=np.int64)
    return start, start + shifts[:, None]


def pair_affinity(features: Tensor, radius: int) -> Tensor:
    """Affinity exp(-mean over channels |f_i - f_j|) of every pair.

    Differentiable. Memory is that of the features and of the result: differences are made
    afresh in the backward pass rather than kept.

    Args:
        features: (N, D, h, w) floating point.
        radius: of the neighbourhood in feature pixels.

    Returns:
        (N, P_offsets, n_from) in (0, 1], dtype of the features.

    Raises:
        ValueError: features not (N, D, h, w), or a map too small for the radius
            (`largest_radius` gives one that fits).
    """
    if features.dim() != 4 or features.shape[1] == 0:
        raise ValueError(f"features must be (N, D, h, w), got {tuple(features.shape)}")
    _check_fit(*features.shape[-2:], radius)
    return _PairAffinity.apply(features, radius)


class _PairAffinity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, radius: int) -> Tensor:
        offsets = pair_offsets(radius)
        images, channels = features.shape[:2]
        grid = from_positions(features, radius).shape[-2:]
        distance = features.new_zeros((images, len(offsets), *grid))
        for part, block in _blocks(features):
            start = from_positions(block, radius)
            for k, offset in enumerate(offsets):
                difference = start - to_positions(block, radius, offset)
                distance[part, k] += difference.abs_().sum(dim=1)
        affinity = distance.div_(-channels).exp_()
        ctx.save_for_backward(features, affinity)
        ctx.radius = radius
        return affinity.flatten(2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, affinity = ctx.saved_tensors
        scale = gradient.view_as(affinity) * affinity / -features.shape[1]
        result = torch.zeros_like(features)
        for (part, block), (_, target) in zip(_blocks(features), _blocks(result), strict=True):
            start = from_positions(block, ctx.radius)
            for k, offset in enumerate(pair_offsets(ctx.radius)):
                step = (start - to_positions(block, ctx.radius, offset)).sign_()
                step *= scale[part, k].unsqueeze(1)
                from_positions(target, ctx.radius).add_(step)
                to_positions(target, ctx.radius, offset).sub_(step)
        return result, None


def _blocks(features: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Views of (N, D, h, w) with the slice of images each holds: small for a CPU's cache, whole
    for a GPU, where the number of kernel launches counts."""
    if features.device.type != "cpu":
        yield slice(None), features
        return
    count, channels, height, width = features.shape
    channels = min(channels, max(1, CPU_BLOCK // (height * width)))
    images = max(1, CPU_BLOCK // (channels * height * width))
    for first in range(0, count, images):
        part = slice(first, first + images)
        for block in features[part].split(channels, dim=1):
            yield part, block


def _check_fit(height: int, width: int, radius: int) -> None:
    if largest_radius(height, width, radius) < radius:
        raise ValueError(f"a {height} x {width} map is too small for radius {radius}")
