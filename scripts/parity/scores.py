"""Evaluation: mIoU, the CAMs' threshold curve, contour F."""

from collections.abc import Iterator

import numpy as np

from hfpl.plugins.metrics.contour_f import contour_counts, mean_contour_f
from hfpl.plugins.metrics.miou import confusion_matrix, intersection_over_union, mean_iou
from hfpl.stages.evaluate.cam_curve import (
    CAM_THRESHOLDS,
    cam_statistics,
    curve_from_statistics,
    predict_from_cams,
)
from scripts.parity.arrays import Arrays
from scripts.parity.comparison import Comparison, close, equal
from scripts.parity.settings import published

COUNTS = ("gt_matches", "pred_matches", "gt_length", "pred_length")


def evaluation(arrays: Arrays) -> Iterator[Comparison]:
    """Scores of predictions and of CAMs over a set of small images."""
    num_classes = len(arrays["pred_iou"])
    thresholds = np.float32(arrays["thresholds"])
    yield equal("thresholds in float32", np.float32(CAM_THRESHOLDS), thresholds)
    statistics, contours = [], []
    for i in range(int(arrays["n"])):
        truth, cams, classes = (arrays[f"{name}_{i}"] for name in ("gt", "cams", "cam_classes"))
        statistics.append(cam_statistics(truth, cams, classes, CAM_THRESHOLDS, num_classes))
        prediction = predict_from_cams(cams, classes, published().evaluate.background_score["seam"])
        contours.append(contour_counts(truth, prediction, num_classes))
    curve = 100 * curve_from_statistics(sum(statistics))
    yield close("CAMs: mIoU curve", curve.mean(1), arrays["miou_curve"])
    yield close("CAMs: IoU per class, curve", curve, arrays["iou_per_class_curve"])
    yield _contour_f("CAMs: contour F", contours, arrays["contour_f_cam_bg025"])
    yield from _predictions(arrays, num_classes)


def evaluation_photographs(arrays: Arrays) -> Iterator[Comparison]:
    """Scores of predictions on label maps of photograph size, with counts per image."""
    num_classes = len(arrays["pred_iou"])
    counts = np.array([_contours(arrays, i, num_classes) for i in range(int(arrays["n"]))])
    for column, name in enumerate(COUNTS):
        yield equal(f"contours: {name}", counts[..., column], arrays[name])
    yield from _predictions(arrays, num_classes)


def _predictions(arrays: Arrays, num_classes: int) -> Iterator[Comparison]:
    images = range(int(arrays["n"]))
    confusion = sum(
        confusion_matrix(arrays[f"gt_{i}"], arrays[f"pred_{i}"], num_classes) for i in images
    )
    iou = 100 * intersection_over_union(confusion)
    yield close("predictions: IoU per class", iou, arrays["pred_iou"])
    yield close("predictions: mIoU", 100 * mean_iou(confusion), arrays["pred_miou"])
    contours = [_contours(arrays, i, num_classes) for i in images]
    yield _contour_f("predictions: contour F", contours, arrays["contour_f_pred"])


def _contours(arrays: Arrays, image: int, num_classes: int) -> np.ndarray:
    return contour_counts(arrays[f"gt_{image}"], arrays[f"pred_{image}"], num_classes)


def _contour_f(compared: str, counts: list[np.ndarray], expected: np.ndarray) -> Comparison:
    # Stored as percent with three decimals.
    return close(compared, round(100 * mean_contour_f(sum(counts)), 3), expected)
