"""Contour accuracy: boundary precision, recall and F per class, as in DAVIS.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016, [DAVIS]; docs/method.md, 6.3. Matches and lengths
are summed over the whole set before any ratio is taken. All scores are fractions in [0, 1].
"""

import math

import numpy as np
from numpy.typing import NDArray

from hfpl.images.palette import IGNORE
from hfpl.plugins.metrics.interface import Columns, Metric, Scores, check_pair

COLUMNS = Columns(
    means=("contour_f", "contour_precision", "contour_recall"),
    title="contour F",
    per_class="contour_f_per_class",
    class_title="contour F",
)


def build(num_classes: int) -> "ContourF":
    """The metric for C classes, background included."""
    return ContourF(num_classes)


class ContourF(Metric):
    """Precision, recall and F of the contours of the K = C - 1 classes without the background."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def counts(self, label: NDArray, prediction: NDArray) -> NDArray[np.int64]:
        """As :func:`contour_counts`, (K, 4)."""
        return contour_counts(label, prediction, self.num_classes)

    def scores(self, counts: NDArray[np.int64]) -> Scores:
        """F, precision and recall."""
        precision, recall, f = contour_scores(counts)
        return f, precision, recall


def contour_radius(height: int, width: int) -> int:
    """Tolerance in pixels: ceil(0.008 * sqrt(height^2 + width^2))."""
    return math.ceil(0.008 * math.sqrt(height * height + width * width))


def contour_counts(label: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Boundary lengths and matches of each class in one image.

    The boundary of a class mask is the set of pixels that differ from their east, south or
    south-east neighbour (only those that exist). A boundary pixel matches where the other map has a
    boundary pixel of the same class within `contour_radius`, the edge of the disk included. Counts
    of several images add up to those of the set.

    Args:
        label: integer (h, w), 0..C-1, or 255, which is taken as background.
        prediction: integer (h, w), 0..C-1.
        num_classes: C, background included; 2..255.

    Returns:
        int64 (K, 4), K = C - 1: row k is class k + 1, the columns are gt_matches (ground truth
        boundary pixels near the prediction's), pred_matches (the reverse), gt_length, pred_length.

    Raises:
        ValueError: on shapes that differ, dtypes that are not integer, or values out of range.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2, got {num_classes}")
    label, prediction = check_pair(label, prediction, num_classes)
    height, width = label.shape
    radius = contour_radius(height, width)
    # Keys number the pixels of all class planes in one line. The empty margin of one radius after
    # each row and plane keeps an interval of one row from reaching into the next row or class.
    stride = width + radius
    plane = (height + radius) * stride
    truth = _boundary_keys(label * (label != IGNORE), stride, plane)
    found = _boundary_keys(prediction, stride, plane)
    lost_truth = _keys_without_match(truth, found, radius, stride)
    lost_found = _keys_without_match(found, truth, radius, stride)
    lengths = [np.bincount(keys // plane, minlength=num_classes) for keys in (truth, found)]
    lost = [np.bincount(keys // plane, minlength=num_classes) for keys in (lost_truth, lost_found)]
    counts = np.stack([lengths[0] - lost[0], lengths[1] - lost[1], *lengths], axis=1)
    return counts[1:].astype(np.int64, copy=False)


def contour_scores(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F of each class over a whole set.

    Without predicted boundary P = 1, R = 0 (and F = 0) where there is a true one, and the reverse
    the other way round; with neither, P = R = F = 1.

    Args:
        counts: (K, 4), the sum of `contour_counts` over the images.

    Returns:
        Three float64 (K,) arrays in [0, 1].

    Raises:
        ValueError: if `counts` is not (K, 4).
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[1] != 4:
        raise ValueError(f"counts must be (K, 4), got shape {counts.shape}")
    gt_matches, pred_matches, gt_length, pred_length = counts.T.astype(np.float64)
    # No match is possible with an empty side, so only the empty side itself needs its 1.
    precision = np.where(pred_length > 0, pred_matches / np.maximum(pred_length, 1), 1.0)
    recall = np.where(gt_length > 0, gt_matches / np.maximum(gt_length, 1), 1.0)
    total = precision + recall
    f_score = np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1), 0.0)
    return precision, recall, f_score


def mean_contour_f(counts: np.ndarray) -> float:
    """Mean of the contour F over the K classes, background excluded.

    Args:
        counts: (K, 4), the sum of `contour_counts` over the images.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: if `counts` is not (K, 4).
    """
    return float(contour_scores(counts)[2].mean())


def _boundary_keys(seg: np.ndarray, stride: int, plane: int) -> np.ndarray:
    """Sorted keys class * plane + y * stride + x of the boundary pixels of classes 1..K.

    A pixel lies on the boundary of class k exactly where its 2x2 block (itself, east, south,
    south-east) holds k and something else. So all class boundaries come from the mixed blocks of
    the label map. Repeating the last row and column leaves there the one existing neighbour.
    """
    padded = np.pad(seg, ((0, 1), (0, 1)), mode="edge")
    corner = padded[:-1, :-1]
    mixed = (corner != padded[:-1, 1:]) | (corner != padded[1:, :-1]) | (corner != padded[1:, 1:])
    y, x = np.divmod(np.flatnonzero(mixed), seg.shape[1])
    block = np.stack([padded[y + dy, x + dx] for dy in (0, 1) for dx in (0, 1)]).astype(np.int64)
    first = block > 0
    for later in range(1, 4):
        for earlier in range(later):
            first[later] &= block[later] != block[earlier]
    keys = block * plane + (y * stride + x)
    return np.sort(keys[first])


def _keys_without_match(
    keys: np.ndarray, others: np.ndarray, radius: int, stride: int
) -> np.ndarray:
    """Those of `keys` with no key of `others` within the disk x^2 + y^2 <= radius^2.

    The disk is one interval of keys per row. Rows are tried from the middle outwards, because most
    pixels have their match close by and need no further row.
    """
    ends = np.append(others, np.iinfo(np.int64).max)
    for dy in sorted(range(-radius, radius + 1), key=abs):
        if keys.size == 0:
            break
        half = math.isqrt(radius * radius - dy * dy)
        start = keys + (dy * stride - half)
        following = ends[np.searchsorted(others, start)]
        keys = keys[following > start + 2 * half]
    return keys
