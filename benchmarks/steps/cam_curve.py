"""The threshold curve of CAMs against an evaluation per threshold."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.stages.evaluate.cam_curve import CAM_THRESHOLDS, cam_statistics, curve_from_statistics
from tests.plain.cam_curve import plain_curve

CLASSES = 21


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
