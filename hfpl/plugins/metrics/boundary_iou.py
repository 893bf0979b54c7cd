"""Boundary IoU: overlap of what lies near the edges, which large objects do not drown.

Source: Cheng, Girshick, Dollár, Berg, Kirillov, "Boundary IoU: Improving Object-Centric Image
Segmentation Evaluation", CVPR 2021 [BoundaryIoU]. The boundary region of a mask is the mask minus
its erosion: its pixels that are no more than d away from a pixel outside of it, by rows and columns
(a square of 2d + 1), where d is 0.02 of the image's diagonal. What lies outside the image is
outside of every mask, so that an object cut off by the frame has an edge there. Boundary IoU is the
IoU of the boundary regions of both masks.

The paper measures pairs of masks, of objects or segments. Here each class of a label map is a
mask, the background too; intersections and unions are summed over the whole set, as for mIoU, and
the mean is over the C classes.

The paper's definition knows no void pixels. Here a pixel that is void in the ground truth (255)
belongs to no class, neither in the ground truth nor in the prediction: it is taken out of both
masks before they are eroded. So whatever is predicted there changes nothing, and a prediction that
is right everywhere else scores 1. A mask that borders on void has an edge there, in both maps: an
error inside the void line around VOC's objects does not count. (Contour F takes void as background,
in the ground truth alone.)
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from hfpl.images.palette import IGNORE
from hfpl.plugins.metrics.interface import Columns, Metric, Scores, check_pair

COLUMNS = Columns(
    means=("boundary_iou",),
    title="boundary IoU",
    per_class="boundary_iou_per_class",
    class_title="boundary IoU",
)
DILATION_RATIO = 0.02
"""Width of the boundary region, as a share of the image's diagonal."""


def build(num_classes: int) -> "BoundaryIou":
    """The metric for C classes, background included."""
    return BoundaryIou(num_classes)


class BoundaryIou(Metric):
    """Boundary IoU of the C classes, background included."""

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def counts(self, label: NDArray, prediction: NDArray) -> NDArray[np.int64]:
        """As :func:`boundary_counts`, (C, 2)."""
        return boundary_counts(label, prediction, self.num_classes)

    def scores(self, counts: NDArray[np.int64]) -> Scores:
        """As :func:`boundary_iou`."""
        return (boundary_iou(counts),)


def boundary_counts(label: NDArray, prediction: NDArray, num_classes: int) -> NDArray[np.int64]:
    """Sizes of intersection and union of each class's boundary regions in one image.

    Args:
        label: integer (h, w), 0..C-1, or 255, which belongs to no class.
        prediction: integer (h, w), 0..C-1.
        num_classes: C, background included; 1..255.

    Returns:
        int64 (C, 2): pixels of the intersection and of the union.

    Raises:
        ValueError: on shapes that differ, dtypes that are not integer, or values out of range.
    """
    label, prediction = check_pair(label, prediction, num_classes)
    width = boundary_width(*label.shape)
    counts = np.zeros((num_classes, 2), np.int64)
    counted = label != IGNORE
    for k in np.union1d(label[counted], prediction[counted]):
        truth = boundary_region(label == k, width)
        found = boundary_region((prediction == k) & counted, width)
        counts[k] = np.count_nonzero(truth & found), np.count_nonzero(truth | found)
    return counts


def boundary_iou(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection / (union + 1e-10) of each class; as for mIoU, a class that is nowhere has 0.

    Args:
        counts: (C, 2), the sum of :func:`boundary_counts` over the images.

    Returns:
        float64 (C,) in [0, 1].
    """
    intersection, union = np.asarray(counts).T
    return intersection / (union + 1e-10)


def boundary_width(height: int, width: int) -> int:
    """d of an image in pixels: 0.02 of its diagonal, rounded, at least 1."""
    return max(1, round(DILATION_RATIO * math.hypot(height, width)))


def boundary_region(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Pixels of a mask (h, w) no more than ``width`` rows and columns from one outside of it."""
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    inside = cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return mask & (inside == 0)
