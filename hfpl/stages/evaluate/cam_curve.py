"""Label maps of CAMs at a threshold, and the mIoU at every threshold in one pass.

Definition: docs/method.md, 6.2. Label maps hold 0 for the background, 1..C-1 for the
classes and, in the ground truth, 255 for pixels that count nowhere. IoU is a fraction in [0, 1].
"""

import numpy as np

from hfpl.images.palette import IGNORE
from hfpl.plugins.metrics.interface import check_label_map
from hfpl.plugins.metrics.miou import intersection_over_union, label_rows

CAM_THRESHOLDS: tuple[float, ...] = tuple(step / 100 for step in range(60))
"""Background scores of the CAM curve: 0.00, 0.01 ... 0.59."""


def predict_from_cams(cams: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    """Label map of the CAMs at one background score: the arg-max of [threshold, cam ...].

    Compared in float32: a class wins only where its score is greater than float32(threshold); equal
    scores of two classes go to the lower class index, whatever the order of `classes`.

    Args:
        cams: float32 (m, h, w); m may be 0, the map is then all background.
        classes: integer (m,), class of each CAM, counted from 0 without the background.
        threshold: background score.

    Returns:
        uint8 (h, w): 0 is the background, k + 1 is class k.

    Raises:
        ValueError: on wrong shapes, duplicate or out-of-range classes, or NaN scores.
    """
    if np.isnan(threshold):
        raise ValueError("threshold is NaN")
    score, winner = _winning_class(cams, classes, num_classes=IGNORE)
    return winner * (score > np.float32(threshold))


def cam_statistics(
    label: np.ndarray,
    cams: np.ndarray,
    classes: np.ndarray,
    thresholds: np.ndarray,
    num_classes: int,
) -> np.ndarray:
    """Histogram of one image from which the IoU at every threshold follows exactly.

    Bin b of the last axis counts pixels whose greatest score exceeds the first b thresholds and no
    other, compared in float32. Counts of several images add up to those of the set.

    Args:
        label: integer (h, w), 0..C-1, or 255 where the pixel is ignored.
        cams: float32 (m, h, w); m may be 0.
        classes: integer (m,), class of each CAM, counted from 0 without the background.
        thresholds: (T,) background scores in ascending order, for example `CAM_THRESHOLDS`.
        num_classes: C, background included; 2..255.

    Returns:
        int64 (C, C, T + 1): ground truth, class of the greatest score, bin.

    Raises:
        ValueError: on wrong shapes or dtypes, values out of range, NaN scores, or thresholds that
            are not finite and ascending.
    """
    label = check_label_map(label, num_classes, "label", ignore=True)
    thresholds = _check_thresholds(thresholds)
    score, winner = _winning_class(cams, classes, num_classes)
    if label.shape != score.shape:
        raise ValueError(f"label has shape {label.shape}, the CAMs {score.shape}")
    bins = thresholds.size + 1
    cells = label_rows(label, num_classes) * num_classes + winner
    cells *= bins
    cells += np.searchsorted(thresholds, score, side="left")
    counts = np.bincount(cells.ravel(), minlength=(num_classes + 1) * num_classes * bins)
    counts = counts.reshape(num_classes + 1, num_classes, bins)
    return counts[:num_classes].astype(np.int64, copy=False)


def curve_from_statistics(stats: np.ndarray) -> np.ndarray:
    """IoU of each class at every threshold; its mean over axis 1 is the mIoU curve.

    Args:
        stats: int64 (C, C, T + 1), the sum of `cam_statistics` over the images.

    Returns:
        float64 (T, C) in [0, 1].

    Raises:
        ValueError: if the shape is not that of `cam_statistics`.
    """
    return intersection_over_union(confusions_from_statistics(stats))


def confusions_from_statistics(stats: np.ndarray) -> np.ndarray:
    """Confusion matrix of the CAMs at every threshold.

    Args:
        stats: int64 (C, C, T + 1), the sum of `cam_statistics` over the images.

    Returns:
        int64 (T, C, C): rows are the ground truth, columns the prediction.

    Raises:
        ValueError: if the shape is not that of `cam_statistics`.
    """
    stats = np.asarray(stats)
    if stats.ndim != 3 or stats.shape[0] != stats.shape[1] or stats.shape[2] < 2:
        raise ValueError(f"statistics must be (C, C, T + 1), got shape {stats.shape}")
    # At threshold j the class wins in the bins above j; the pixels of the bins up to j are
    # background, whichever class came closest.
    passed = np.cumsum(stats[:, :, ::-1], axis=2)[:, :, -2::-1]
    confusions = np.moveaxis(passed, 2, 0).copy()
    confusions[:, :, 0] += stats.sum(axis=(1, 2)) - confusions.sum(axis=2)
    return confusions


def _check_thresholds(thresholds: np.ndarray) -> np.ndarray:
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or thresholds.size == 0:
        raise ValueError(f"thresholds must be (T,) with T > 0, got shape {thresholds.shape}")
    if not np.isfinite(thresholds).all() or (np.diff(thresholds) < 0).any():
        raise ValueError("thresholds must be finite and ascending")
    return thresholds.astype(np.float32)


def _winning_class(
    cams: np.ndarray, classes: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Greatest score float32 (h, w) and its label uint8 (h, w), -inf and 0 without CAMs."""
    cams = np.asarray(cams, dtype=np.float32)
    classes = np.asarray(classes)
    if cams.ndim != 3 or classes.shape != cams.shape[:1]:
        raise ValueError(
            f"cams must be (m, h, w) and classes (m,), got {cams.shape} and {classes.shape}"
        )
    score = np.full(cams.shape[1:], -np.inf, dtype=np.float32)
    winner = np.zeros(cams.shape[1:], dtype=np.uint8)
    if classes.size == 0:
        return score, winner
    if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= num_classes - 1:
        raise ValueError(f"classes must be integers in 0..{num_classes - 2}, got {classes}")
    # Ascending classes and a strict comparison give ties to the lower class index.
    order = np.argsort(classes)
    if (np.diff(classes[order]) == 0).any():
        raise ValueError(f"classes has duplicates: {classes}")
    for index in order:
        np.copyto(winner, np.uint8(classes[index] + 1), where=cams[index] > score)
        np.maximum(score, cams[index], out=score)
    if np.isnan(score).any():
        raise ValueError("cams contain NaN")
    return score, winner
