"""What the evaluation and the tables of scores ask of a metric."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hfpl.images.palette import IGNORE


@dataclass(frozen=True)
class Columns:
    """How tables show a metric.

    Attributes:
        means: columns of its means. The first is named like the metric's file, and stands alone
            where a table is short.
        title: heading of that mean, without the unit.
        per_class: key of the scores per class; their columns are ``<key>:<class>``, without a
            ``_per_class`` at its end.
        class_title: heading of the scores per class.
    """

    means: tuple[str, ...]
    title: str
    per_class: str
    class_title: str

    def of_class(self, name: str) -> str:
        """Column of a class."""
        return f"{self.per_class.removesuffix('_per_class')}:{name}"


Scores = tuple[NDArray[np.float64], ...]
"""Scores of each class over a whole set, fractions in [0, 1]: an array for each of
:attr:`Columns.means`, (C,), background first, or (C - 1,) without it. The first is what tables show
per class. The means are taken where it is known which classes the ground truth shows."""


class Metric(ABC):
    """Compares label maps with the ground truth, by counts that add up over images.

    No score is a mean over images: images are counted one by one, the counts are summed, and the
    scores are computed from their sum.
    """

    @abstractmethod
    def counts(self, label: NDArray, prediction: NDArray) -> NDArray[np.int64]:
        """Counts of one image, of the same shape for every image.

        Args:
            label: ground truth, integer (h, w), 0 background, 1..C-1 classes, 255 void.
            prediction: integer (h, w), 0..C-1.

        Raises:
            ValueError: as :func:`check_pair`.
        """

    @abstractmethod
    def scores(self, counts: NDArray[np.int64]) -> Scores:
        """Scores of each class of the counts of a whole set."""


def check_pair(
    label: NDArray, prediction: NDArray, num_classes: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return ground truth and prediction of an image as arrays, or refuse them.

    Args:
        label: integer (h, w), 0..C-1, or 255.
        prediction: integer (h, w), 0..C-1.
        num_classes: C, background included; 1..255.

    Raises:
        ValueError: on shapes that differ, or as :func:`check_label_map`.
    """
    label = check_label_map(label, num_classes, "label", ignore=True)
    prediction = check_label_map(prediction, num_classes, "prediction", ignore=False)
    if label.shape != prediction.shape:
        raise ValueError(f"label has shape {label.shape}, prediction {prediction.shape}")
    return label, prediction


def check_label_map(values: np.ndarray, num_classes: int, name: str, *, ignore: bool) -> np.ndarray:
    """Return a label map as an array, or refuse it.

    Args:
        values: integer (h, w), 0..C-1, and 255 where `ignore` is set.
        num_classes: C, background included; 1..255.
        name: what the error line calls the map.
        ignore: whether 255 is allowed.

    Raises:
        ValueError: on an empty array, a shape other than (h, w), a dtype that is not integer, or
            values out of range.
    """
    if not 1 <= num_classes <= IGNORE:
        raise ValueError(f"num_classes must be in 1..255, got {num_classes}")
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a non-empty integer (h, w) array, got {values.dtype} {values.shape}"
        )
    wrong = values >= num_classes
    if values.dtype.kind == "i":
        wrong |= values < 0
    if ignore:
        wrong &= values != IGNORE
    if wrong.any():
        raise ValueError(f"{name} has value {values[wrong][0]}, outside 0..{num_classes - 1}")
    return values
