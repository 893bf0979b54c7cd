"""SEAM's pixel correlation module (PCM): maps spread over positions of similar features.

The affinities of all pairs of positions are by far the largest tensor of a training step. Here
they exist a block at a time, small enough for a CPU's cache, and are made afresh for the gradient.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

EPSILON = 1e-5
# Pairs of positions at once: 4 MiB, and on a GPU 256 MiB.
CPU_BLOCK_PAIRS = 1 << 20
GPU_BLOCK_PAIRS = 1 << 26


def correlate(cam: Tensor, features: Tensor) -> Tensor:
    """Spread CAMs over positions of similar features.

    Affinity is the cosine of the features without its negative part; what a position receives
    is normalised to sum to one. The gradient flows to the features only, and once.

    Shape:
        cam: float32 or float64 (N, C, h, w), any number of channels.
        features: (N, D, h, w), same dtype.
        returns: as cam.
    """
    n, c, h, w = cam.shape
    flat = features.reshape(n, -1, h * w)
    flat = flat / (flat.norm(dim=1, keepdim=True) + EPSILON)
    # A row of ones gives the columns' sums in the same product; dividing what was spread by them
    # equals dividing the whole matrix.
    counted = functional.pad(cam.detach().reshape(n, c, h * w), (0, 0, 0, 1), value=1.0)
    spread = _Spread.apply(counted, flat)
    return (spread[:, :c] / (spread[:, c:] + EPSILON)).reshape(n, c, h, w)


class _Spread(torch.autograd.Function):
    """``maps @ relu(flat^T flat)`` for maps (N, M, S) and features flat (N, D, S)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, flat: Tensor) -> Tensor:
        spread = torch.empty_like(maps)
        for images, receivers in _blocks(flat):
            affinity = _cosine(flat[images], receivers).relu_()
            spread[images, :, receivers] = maps[images] @ affinity
        ctx.save_for_backward(maps, flat)
        return spread

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        maps, flat = ctx.saved_tensors
        # Affinities are symmetric: a pair's gradient m_i g_j comes with its mirror image g_i m_j,
        # and one product with the features serves both ends.
        left, right = torch.cat([maps, gradient], 1), torch.cat([gradient, maps], 1)
        result = torch.empty_like(flat)
        for images, receivers in _blocks(flat):
            part = flat[images]
            pairs = left[images].transpose(1, 2) @ right[images, :, receivers]
            # ReLU's own backward pass, the fastest way to leave out what it cut off.
            torch.ops.aten.threshold_backward.grad_input(
                pairs, _cosine(part, receivers), 0, grad_input=pairs
            )
            result[images, :, receivers] = part @ pairs
        return None, result


def _cosine(flat: Tensor, receivers: slice) -> Tensor:
    """(N, S, R) of the features of all positions and of some, (N, D, S) of unit length."""
    return flat.transpose(1, 2) @ flat[:, :, receivers]


def _blocks(flat: Tensor) -> Iterator[tuple[slice, slice]]:
    """Images, and the positions that receive, of each block of pairs."""
    count, _, size = flat.shape
    budget = CPU_BLOCK_PAIRS if flat.device.type == "cpu" else GPU_BLOCK_PAIRS
    # Threads share a block by its images: a power of two of them, so that all have as many.
    images = 1 << max(1, (budget // size**2).bit_length() - 1)
    receivers = min(size, max(1, budget // (size * min(images, count))))
    for first in range(0, count, images):
        for start in range(0, size, receivers):
            yield slice(first, first + images), slice(start, start + receivers)
