"""Region overlap: the confusion matrix and the mean intersection over union (mIoU).

Definition: docs/method.md, 6.1. Label maps hold 0 for the background, 1..C-1 for the
classes and, in the ground truth, 255 for pixels that count nowhere. IoU is a fraction in [0, 1].
"""

import numpy as np
from numpy.typing import NDArray

from hfpl.plugins.metrics.interface import Columns, Metric, Scores, check_pair

COLUMNS = Columns(means=("miou",), title="mIoU", per_class="iou", class_title="IoU")


def build(num_classes: int) -> "MeanIou":
    """The metric for C classes, background included."""
    return MeanIou(num_classes)


class MeanIou(Metric):
    """IoU of the C classes, background included; the counts are the confusion matrix (C, C)."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def counts(self, label: NDArray, prediction: NDArray) -> NDArray[np.int64]:
        """As :func:`confusion_matrix`."""
        return confusion_matrix(label, prediction, self.num_classes)

    def scores(self, counts: NDArray[np.int64]) -> Scores:
        """As :func:`intersection_over_union`."""
        return (intersection_over_union(counts),)


def confusion_matrix(label: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pixels of each (ground truth, prediction) pair of one image.

    The counts of several images add up to those of the whole set.

    Args:
        label: integer (h, w), 0..C-1, or 255 where the pixel is ignored.
        prediction: integer (h, w), 0..C-1.
        num_classes: C, background included; 1..255.

    Returns:
        int64 (C, C): rows are the ground truth, columns the prediction.

    Raises:
        ValueError: on shapes that differ, dtypes that are not integer, or values out of range.
    """
    label, prediction = check_pair(label, prediction, num_classes)
    pairs = label_rows(label, num_classes) * num_classes + prediction.astype(np.intp)
    counts = np.bincount(pairs.ravel(), minlength=(num_classes + 1) * num_classes)
    return counts.reshape(num_classes + 1, num_classes)[:num_classes].astype(np.int64, copy=False)


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """IoU of each class: true positives / (union + 1e-10).

    A class that is neither in the ground truth nor predicted scores 0, as published.

    Args:
        confusion: (..., C, C) counts of a whole set, rows ground truth, columns prediction.

    Returns:
        float64 (..., C) in [0, 1].

    Raises:
        ValueError: if the last two axes are not square.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim < 2 or confusion.shape[-1] != confusion.shape[-2]:
        raise ValueError(f"confusion must be (..., C, C), got shape {confusion.shape}")
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(axis=-1) + confusion.sum(axis=-2) - hits
    return hits / (union + 1e-10)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean over the C classes, background included, of `intersection_over_union`.

    Args:
        confusion: (C, C) counts of a whole set.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: if `confusion` is not a square matrix.
    """
    if np.ndim(confusion) != 2:
        raise ValueError(f"confusion must be (C, C), got shape {np.shape(confusion)}")
    return float(intersection_over_union(confusion).mean())


def label_rows(label: np.ndarray, num_classes: int) -> np.ndarray:
    """Histogram row of each pixel; ignored ones share the row after the last class."""
    return np.minimum(label.astype(np.intp), num_classes)
