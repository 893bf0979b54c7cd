"""Contour matches against dilations of full-size maps of all classes."""

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.plugins.metrics.contour_f import contour_counts
from tests.plain.contours import plain_counts


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
