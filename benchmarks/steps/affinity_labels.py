"""Labels of affinity against loops over cells and pairs."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.stages.affinity.labels import affinity_label, pair_labels

STRIDE, RADIUS = 8, 5


def plain_label(low: NDArray, high: NDArray, stride: int) -> NDArray:
    """The rules of the method notes, one cell at a time."""
    rows, columns = low.shape[1] // stride, low.shape[2] // stride
    label = np.zeros((rows, columns), np.uint8)
    for y in range(rows):
        for x in range(columns):
            square = np.s_[:, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride]
            a = low[square].astype(np.float64).mean((1, 2))
            b = high[square].astype(np.float64).mean((1, 2))
            label[y, x] = np.argmax(a) or 255
            if np.argmax(b) == 0:
                label[y, x] = 0
            if max(a.max(), b.max()) < 1e-5:
                label[y, x] = 255
    return label


def plain_pairs(label: NDArray, radius: int) -> tuple[NDArray, NDArray, NDArray]:
    """Background, foreground and negative pairs by loops over offsets and positions."""
    height, width = label.shape
    offsets = [(0, dx) for dx in range(1, radius)]
    for dy in range(1, radius):
        reach = range(1 - radius, radius)
        offsets += [(dy, dx) for dx in reach if dx**2 + dy**2 < radius**2]
    kinds = []
    for dy, dx in offsets:
        row = []
        for y in range(height - (radius - 1)):
            for x in range(radius - 1, width - (radius - 1)):
                a, b = label[y, x], label[y + dy, x + dx]
                if 255 in (a, b):
                    row.append("none")
                elif a != b:
                    row.append("neg")
                else:
                    row.append("fg" if a else "bg")
        kinds.append(row)
    kinds = np.array(kinds)
    return kinds == "bg", kinds == "fg", kinds == "neg"


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
