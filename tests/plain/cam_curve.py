"""The CAM threshold curve, threshold by threshold."""

import numpy as np
from numpy.typing import NDArray

from hfpl.stages.evaluate.cam_curve import CAM_THRESHOLDS


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
