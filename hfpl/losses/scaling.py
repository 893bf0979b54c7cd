"""Maps scaled to [0, 1] by their own minimum and maximum."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

EPSILON = 1e-5


def max_norm(p: Tensor) -> Tensor:
    """Scale every map to [0, 1] by its own minimum and maximum.

    ReLU; subtract the map's minimum and 1e-5, ReLU; divide by (maximum - minimum + 1e-5). The
    gradient also flows, once, through the minimum and the maximum; positions that share one share
    its gradient. Source: [SEAM]; docs/method.md, equation (2).

    Shape:
        p: float (N, C, h, w), any values.
        returns: same shape, values in [0, 1), float32 (float64 for float64 input).

    Raises:
        ValueError: p is not a floating-point tensor of four non-empty dimensions.
    """
    if p.ndim != 4 or 0 in p.shape:
        raise ValueError(f"p must be N x C x h x w without empty dimensions, got {tuple(p.shape)}")
    if not p.is_floating_point():
        raise ValueError(f"p must be floating point, got {p.dtype}")
    p = p.to(torch.promote_types(p.dtype, torch.float32))
    return _MaxNorm.apply(p.flatten(2)).view_as(p)


class _MaxNorm(torch.autograd.Function):
    """Value and gradient in few passes over the maps, all of them on floats.

    On a CPU, bool tensors and ``aminmax`` take up to thirty times as long.
    """

    @staticmethod
    def forward(ctx: Any, p: Tensor) -> Tensor:
        low, high = p.amin(2, keepdim=True), p.amax(2, keepdim=True)
        # ReLU of the extremes for extremes of the ReLU: what lies below zero ends up there anyway.
        base = F.relu(low)
        scale = F.relu(high).sub_(base).add_(EPSILON)
        # In this order, as published: maxima of two classes at one position often differ by no
        # more than 1e-7, and SEAM's arg-max over classes must then see the same bits.
        normed = (p - base).sub_(EPSILON).relu_().div_(scale)
        ctx.save_for_backward(p, normed, low, high, scale)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        p, normed, low, high, scale = ctx.saved_tensors
        # Of (p - low - e) / (high - low + e): 1 / scale to p, (y - 1) / scale to low, -y / scale
        # to high; nothing to what a ReLU has cut off.
        per_value = gradient / scale
        to_high = -(per_value * normed).sum(2, keepdim=True)
        result = torch.ops.aten.threshold_backward(per_value, normed, 0)
        to_low = -(result.sum(2, keepdim=True) + to_high)
        holds = torch.empty_like(p)
        for extreme, share in ((low, to_low), (high, to_high)):
            torch.eq(p, extreme, out=holds)
            share = share * (extreme > 0) / holds.sum(2, keepdim=True)
            result.addcmul_(holds, share)
        return result
