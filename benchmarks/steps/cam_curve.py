"""The threshold curve of CAMs against an evaluation per threshold."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.stages.evaluate.cam_curve import CAM_THRESHOLDS, cam_statistics, curve_from_statistics

CLASSES = 21


def plain_prediction(
    cams: NDArray, classes: NDArray, threshold: float, num_classes: int
) -> NDArray:
    """Arg-max over a full stack, channel k + 1 for class k; absent classes can never win."""
    stack = np.full((num_classes, *cams.shape[1:]), -np.inf, np.float32)
    stack[0] = np.float32(threshold)
    for cam, index in zip(cams, classes, strict=True):
        stack[index + 1] = cam
    return stack.argmax(axis=0)


def plain_iou(label: NDArray, prediction: NDArray, num_classes: int) -> NDArray:
    """IoU of every class, by a mask of each in label and prediction."""
    counted = label < 255
    found = []
    for k in range(num_classes):
        truth, predicted = (label == k) & counted, (prediction == k) & counted
        hits = (truth & predicted).sum()
        found.append(hits / (truth.sum() + predicted.sum() - hits + 1e-10))
    return np.array(found)


def plain_curve(label: NDArray, cams: NDArray, classes: NDArray, num_classes: int) -> NDArray:
    """IoU of every class at every threshold, (T, C)."""
    return np.stack(
        [
            plain_iou(label, plain_prediction(cams, classes, t, num_classes), num_classes)
            for t in CAM_THRESHOLDS
        ]
    )


def _prepare(small: bool) -> tuple:
    """A label map, and CAMs of the two classes in it."""
    height, width = (12, 16) if small else (375, 500)
    rng = np.random.default_rng(0)
    coarse = rng.random((2, 6, 8), dtype=np.float32)
    cams = np.stack([cv2.resize(c, (width, height), interpolation=cv2.INTER_CUBIC) for c in coarse])
    label = np.array([0, 4, 13], np.uint8)[np.stack([np.full_like(cams[0], 0.6), *cams]).argmax(0)]
    label[:2] = 255
    return label, cams, np.array([3, 12]), CLASSES


def _fast(label: NDArray, cams: NDArray, classes: NDArray, num_classes: int) -> NDArray:
    stats = cam_statistics(label, cams, classes, np.array(CAM_THRESHOLDS), num_classes)
    return curve_from_statistics(stats)


COMPARISONS = (
    Comparison(
        "CAM curve, 60 thresholds, 500x375",
        "an evaluation per threshold",
        _prepare,
        plain_curve,
        _fast,
        assert_equal,
        faster=120,
    ),
)
