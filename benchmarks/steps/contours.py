"""Contour matches against dilations of full-size maps of all classes."""

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.plugins.metrics.contour_f import contour_counts


def plain_boundary(mask: NDArray) -> NDArray:
    """Pixels that differ from their east, south or south-east neighbour.

    The last column and row compare with the one neighbour that exists; the corner is none.
    """
    east, south, diagonal = (np.zeros_like(mask) for _ in range(3))
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    diagonal[:-1, :-1] = mask[1:, 1:]
    boundary = (mask ^ east) | (mask ^ south) | (mask ^ diagonal)
    boundary[-1] = mask[-1] ^ east[-1]
    boundary[:, -1] = mask[:, -1] ^ south[:, -1]
    boundary[-1, -1] = False
    return boundary


def plain_counts(label: NDArray, prediction: NDArray, num_classes: int) -> NDArray:
    """Matches and lengths of every class, whether it occurs or not, by dilation with the disk."""
    label = np.where(label == 255, 0, label)
    radius = int(np.ceil(0.008 * np.linalg.norm(label.shape)))
    grid = np.arange(-radius, radius + 1)
    disk = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(np.uint8)
    counts = np.zeros((num_classes - 1, 4), np.int64)
    for k in range(1, num_classes):
        truth, found = plain_boundary(label == k), plain_boundary(prediction == k)
        near_truth, near_found = (
            cv2.dilate(part.astype(np.uint8), disk) > 0 for part in (truth, found)
        )
        sets = (truth & near_found, found & near_truth, truth, found)
        counts[k - 1] = [pixels.sum() for pixels in sets]
    return counts


def _prepare(classes: int, small: bool) -> tuple[NDArray, NDArray, int]:
    """Label and prediction of a picture with two objects, whose contours are as long as VOC's."""
    height, width = (30, 40) if small else (375, 500)
    label, prediction = (np.zeros((height, width), np.uint8) for _ in range(2))
    for name, x, y, a, b in ((2, 0.35, 0.4, 0.2, 0.3), (9, 0.7, 0.6, 0.15, 0.25)):
        for canvas, shift in ((label, 0.0), (prediction, 0.01)):
            centre = (round((x + shift) * width), round((y - shift) * height))
            axes = (round(a * width), round((b + shift) * height))
            cv2.ellipse(canvas, centre, axes, 20, 0, 360, name, -1)
            cv2.ellipse(canvas, centre, axes, 20, 0, 360, 255 if canvas is label else name, 2)
    return label, prediction, classes + 1


COMPARISONS = tuple(
    Comparison(
        f"contour F, {classes} classes, 500x375",
        "full-size dilations of all classes",
        partial(_prepare, classes),
        plain_counts,
        contour_counts,
        assert_equal,
        faster=faster,
    )
    for classes, faster in ((20, 12), (80, 35))
)
