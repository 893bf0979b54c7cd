"""Labels of affinity against loops over cells and pairs."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.stages.affinity.labels import affinity_label, pair_labels
from tests.plain.affinity_labels import plain_label, plain_pairs

STRIDE, RADIUS = 8, 5


def _prepare(small: bool) -> tuple[NDArray, NDArray, int]:
    """CRF scores of background and two classes at both background powers."""
    side = 80 if small else 448
    coarse = np.random.default_rng(0).random((2, 3, 7, 7), dtype=np.float32)
    low, high = np.array([[cv2.resize(c, (side, side)) for c in scores] for scores in coarse])
    low[:, :24], high[:, :24] = 0, 0
    return low, high, STRIDE


def _prepare_pairs(small: bool) -> tuple[NDArray]:
    return (affinity_label(*_prepare(small)),)


def _plain_pairs(label: NDArray) -> tuple[NDArray, ...]:
    return plain_pairs(label, RADIUS)


def _fast_pairs(label: NDArray) -> tuple[torch.Tensor, ...]:
    return pair_labels(torch.from_numpy(label), RADIUS)


COMPARISONS = (
    Comparison(
        "affinity labels, crop 448",
        "a loop over cells",
        _prepare,
        plain_label,
        affinity_label,
        assert_equal,
    ),
    Comparison(
        "labels of pairs, crop 448",
        "a loop over pairs",
        _prepare_pairs,
        _plain_pairs,
        _fast_pairs,
        assert_equal,
    ),
)
