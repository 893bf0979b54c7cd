"""Random walk of class activation maps over pixel affinities (AffinityNet [PSA];
docs/method.md, 4.4).

The transition matrix is sparse and only a few row vectors walk, so that time and memory are
linear in the number of pixels. Neighbours have the same offset wherever they are, which makes the
matrix a few diagonals: a step multiplies whole rows of numbers, without an index per entry.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from hfpl.stages.affinity.labels import mean_pool
from hfpl.stages.affinity.pairs import largest_radius, pair_affinity, pair_indices, pair_offsets


def padded_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(H, W) rounded up to multiples of the stride.

    Raises:
        ValueError: a size or stride below 1.
    """
    if min(*size, stride) < 1:
        raise ValueError(f"size and stride must be positive, got {size} and {stride}")
    return -(-size[0] // stride) * stride, -(-size[1] // stride) * stride


def affinity_matrix(
    affinity: NDArray[np.float32], height: int, width: int, radius: int
) -> sparse.dia_array:
    """Symmetric matrix of pair affinities, with ones on the diagonal.

    It holds the pairs that start at a "from" position (see `hfpl.stages.affinity.pairs`), in both
    directions; positions near the border therefore have fewer neighbours than pairs within the
    radius, as in the published method.

    Args:
        affinity: (P_offsets, n_from) as `pair_affinity` gives for one image.
        height, width: of the feature map; position (y, x) is row and column y·width + x.
        radius: of the neighbourhood in feature pixels.

    Returns:
        (height·width, height·width) in the dtype of the affinity; at radius 5 no more than 69
        entries in a column.

    Raises:
        ValueError: a map too small for the radius, or affinities of another shape.
    """
    start, ends = pair_indices(height, width, radius)
    if affinity.shape != ends.shape:
        raise ValueError(f"affinity must be {ends.shape}, got {affinity.shape}")
    count = height * width
    steps = [dy * width + dx for dy, dx in pair_offsets(radius)]
    # Entry (i, j) lies in column j of the diagonal j - i.
    diagonals = np.zeros((2 * len(steps) + 1, count), affinity.dtype)
    diagonals[0] = 1
    forth, back = diagonals[1 : len(steps) + 1], diagonals[len(steps) + 1 :]
    np.put_along_axis(forth, ends, affinity, axis=1)
    back[:, start] = affinity
    offsets = [0, *steps, *(-step for step in steps)]
    return sparse.dia_array((diagonals, offsets), shape=(count, count))


def dense_affinity(features: Tensor, radius: int) -> sparse.dia_array:
    """Affinities of all pairs of one image's feature map, as a sparse matrix.

    A map too small for the radius takes the largest radius that fits.

    Args:
        features: (D, h, w) floating point.
        radius: of the neighbourhood in feature pixels.

    Returns:
        (h·w, h·w) symmetric, ones on the diagonal, other entries in (0, 1].

    Raises:
        ValueError: features not (D, h, w) or empty, or a radius below 1.
    """
    if features.dim() != 3:
        raise ValueError(f"features must be (D, h, w), got {tuple(features.shape)}")
    height, width = features.shape[1:]
    radius = largest_radius(height, width, radius)
    with torch.no_grad():
        affinity = pair_affinity(features[None], radius)[0]
    return affinity_matrix(affinity.cpu().numpy(), height, width, radius)


def transition_matrix(affinity: sparse.sparray, beta: float) -> sparse.dia_array:
    """Elementwise power beta of the affinities, each column divided by its sum.

    Args:
        affinity: (n, n) symmetric, non-negative, ones on the diagonal.
        beta: positive power; a large one keeps the walk within strong affinities.

    Returns:
        (n, n) T whose columns sum to 1. A row vector v walks one step as v·T.

    Raises:
        ValueError: a matrix that is not square, a power that is not positive, or a column
            without a positive entry.
    """
    if affinity.ndim != 2 or affinity.shape[0] != affinity.shape[1]:
        raise ValueError(f"affinity must be square, got {affinity.shape}")
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    matrix = sparse.dia_array(affinity, copy=True)
    matrix.data **= beta
    sums = matrix.sum(axis=0)
    if not (sums > 0).all():
        raise ValueError("a column of the affinity has no positive entry")
    # Diagonals hold their entries by column.
    matrix.data /= sums[: matrix.data.shape[1]].astype(matrix.dtype)
    return matrix


def random_walk(
    cams: NDArray[np.float32],
    transition: sparse.sparray,
    *,
    stride: int = 8,
    alpha: float = 6,
    log_steps: int = 6,
) -> NDArray[np.float32]:
    """Spread class activation maps and background over the feature grid.

    The background is (1 - max)^alpha; absent classes count as 0, so the maximum is not below 0.
    All maps are padded with 0 at the right and bottom to multiples of the stride, mean-pooled
    and multiplied by T^(2^log_steps).

    Args:
        cams: (m, H, W) normalised maps of the classes present, at most 1; m may be 0.
        transition: (h·w, h·w) T on the padded grid, h = ceil(H / stride), w = ceil(W / stride).
        stride: of the affinity network, in pixels.
        alpha: background power, positive.
        log_steps: base-2 logarithm of the number of steps, 0 or more.

    Returns:
        (m + 1, h, w) float32, background first.

    Raises:
        ValueError: maps or matrix of the wrong shape, maps not finite or above 1, a power that is
            not positive or a negative log_steps.
    """
    if cams.ndim != 3:
        raise ValueError(f"cams must be (m, H, W), got {cams.shape}")
    if not alpha > 0 or log_steps < 0:
        raise ValueError(f"alpha must be positive and log_steps not negative: {alpha}, {log_steps}")
    height, width = cams.shape[1:]
    full_height, full_width = padded_size((height, width), stride)
    grid = (full_height // stride, full_width // stride)
    count = grid[0] * grid[1]
    if transition.shape != (count, count):
        raise ValueError(f"transition must be ({count}, {count}), got {transition.shape}")
    if not (np.isfinite(cams).all() and cams.max(initial=0) <= 1):
        raise ValueError("cams must be finite and at most 1")

    scores = np.zeros((len(cams) + 1, full_height, full_width), np.float32)
    scores[1:, :height, :width] = cams
    scores[0, :height, :width] = (1 - cams.max(axis=0, initial=0)) ** alpha
    step = sparse.dia_array(transition.T)
    # One vector after the other: several at once, SciPy would go through the diagonals by entry.
    walked = np.empty((len(scores), count), np.float32)
    for row, state in zip(
        walked, mean_pool(scores, stride).reshape(len(scores), count), strict=True
    ):
        for _ in range(2**log_steps):
            state = step @ state
        row[:] = state
    return walked.reshape(len(scores), *grid)


def walk_labels(
    walked: NDArray[np.float32],
    classes: Sequence[int],
    size_padded: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Label map of walked scores at the image's own size.

    The scores are upsampled (bilinear, align_corners=False) to the padded size; the arg-max class
    is taken, a tie going to the lower one, and the padding is cropped.

    Args:
        walked: (m + 1, h, w) as `random_walk` gives.
        classes: the m classes, ascending, counted from 0 without background.
        size_padded: (H', W') of the padded image.
        size: (H, W) of the image, at most the padded size.

    Returns:
        (H, W) uint8: 0 background, k + 1 for class k.

    Raises:
        ValueError: classes that do not match the scores or are not ascending in [0, 254), or a
            size above the padded one.
    """
    if walked.ndim != 3 or len(walked) != len(classes) + 1:
        raise ValueError(f"walked must be ({len(classes) + 1}, h, w), got {walked.shape}")
    names = np.array([-1, *classes], dtype=np.int64)
    if (np.diff(names) < 1).any() or names[-1] >= 254:
        raise ValueError(f"classes must ascend in [0, 254), got {list(classes)}")
    if size[0] > size_padded[0] or size[1] > size_padded[1]:
        raise ValueError(f"size {size} exceeds the padded size {size_padded}")
    if len(walked) == 1:
        return np.zeros(size, np.uint8)
    full = F.interpolate(
        torch.from_numpy(walked)[None], size=size_padded, mode="bilinear", align_corners=False
    )[0]
    # NumPy's argmax: several times faster here than torch's, and the first of a tie for certain.
    winner = full.numpy()[:, : size[0], : size[1]].argmax(axis=0)
    return (names + 1).astype(np.uint8)[winner]
