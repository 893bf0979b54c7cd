"""Training labels of pixel affinity from confident CRF scores (AffinityNet [PSA];
docs/method.md, 4.2)."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hfpl.images.palette import IGNORE
from hfpl.stages.affinity.pairs import from_positions, pair_offsets, to_positions

BACKGROUND = 0
# Pooled scores sum to about 1 inside the image; below this every score is padding.
NO_SCORE = 1e-5


def mean_pool(maps: NDArray[np.floating], stride: int) -> NDArray[np.floating]:
    """Means over disjoint stride × stride squares.

    Args:
        maps: (C, H, W) with H and W multiples of the stride.
        stride: side of a square in pixels.

    Returns:
        (C, H / stride, W / stride), dtype of the maps.

    Raises:
        ValueError: not (C, H, W), or sides that are no multiples of the stride.
    """
    if stride < 1 or maps.ndim != 3 or maps.shape[1] % stride or maps.shape[2] % stride:
        raise ValueError(f"cannot pool {maps.shape} by {stride}: need (C, H, W) in whole squares")
    channels, height, width = maps.shape
    # Rows first: adding whole rows is fast, adding short runs of neighbours is not.
    rows = maps.reshape(channels, height // stride, stride, width).sum(axis=2)
    return rows.reshape(channels, height // stride, width // stride, stride).sum(axis=3) / (
        maps.dtype.type(stride * stride)
    )


def affinity_label(
    low: NDArray[np.float32], high: NDArray[np.float32], stride: int = 8
) -> NDArray[np.uint8]:
    """Label every cell of the feature grid: a confident class, confident background or ignore.

    Both scores are mean-pooled. The label starts as argmax(low); then, in this order,
    low is background: ignore; argmax(high) is background: background; the largest pooled score
    is below 1e-5 (outside the image): ignore.

    Args:
        low: (C, H, W) CRF scores with the small background power, background first, 0 outside
            the image.
        high: (C, H, W) the same with the large background power.
        stride: of the network, in pixels; H and W are multiples of it.

    Returns:
        (H / stride, W / stride) uint8: 0 background, c > 0 the c-th channel, 255 ignore.

    Raises:
        ValueError: shapes that differ, do not fit the stride, or hold no or too many channels.
    """
    if low.shape != high.shape:
        raise ValueError(f"low and high scores differ in shape: {low.shape} and {high.shape}")
    low, high = mean_pool(low, stride), mean_pool(high, stride)
    if not 1 <= len(low) <= IGNORE:
        raise ValueError(f"scores must have 1 to {IGNORE} channels, got {len(low)}")
    label = low.argmax(axis=0).astype(np.uint8)
    label[label == BACKGROUND] = IGNORE
    label[high.argmax(axis=0) == BACKGROUND] = BACKGROUND
    label[np.maximum(low.max(axis=0), high.max(axis=0)) < NO_SCORE] = IGNORE
    return label


def pair_labels(label: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sort the pairs of a label map into background, same class and different.

    Pairs with an ignored end are in none of the three.

    Args:
        label: (..., h, w) integers: 0 background, 255 ignore, others classes.
        radius: of the neighbourhood in grid cells.

    Returns:
        bg_pos, fg_pos, neg, each (..., P_offsets, n_from) bool: both ends background; both the
        same class; the ends different.

    Raises:
        ValueError: a map too small for the radius.
    """
    start = from_positions(label, radius)
    offsets = pair_offsets(radius)
    ends = label.new_empty((*label.shape[:-2], len(offsets), *start.shape[-2:]))
    for k, offset in enumerate(offsets):
        ends[..., k, :, :] = to_positions(label, radius, offset)
    start, ends = start.flatten(-2).unsqueeze(-2), ends.flatten(-2)
    same = start == ends
    background = start == BACKGROUND
    valid = (start != IGNORE) & (ends != IGNORE)
    return same & background, same & ~background & valid, ~same & valid
