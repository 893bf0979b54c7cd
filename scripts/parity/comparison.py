"""One line of the parity table, and the ways in which arrays are compared."""

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-4
"""Largest |found - expected|, as a share of the largest |expected| of the array."""


@dataclass(frozen=True)
class Comparison:
    """One array of a step.

    Attributes:
        compared: what the array is.
        error: largest relative error, or the number of entries that differ; infinite where the
            shapes differ or one side has a number where the other has none.
        tolerance: largest error that passes.
        counts: whether the error is a number of entries.
    """

    compared: str
    error: float
    tolerance: float
    counts: bool = False

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


def close(
    compared: str, found: object, expected: np.ndarray, tolerance: float = TOLERANCE
) -> Comparison:
    """Compare numbers: max |found - expected| / max |expected|."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape:
        compared = f"{compared}: shape {found.shape} in place of {expected.shape}"
        return Comparison(compared, np.inf, tolerance)
    return Comparison(compared, _relative_error(found, expected), tolerance)


def equal(
    compared: str, found: object, expected: np.ndarray, tied: np.ndarray | None = None
) -> Comparison:
    """Compare whole numbers or labels: how many differ.

    Args:
        tied: where a difference counts for nothing, because rounding decides there; bool, of the
            shape of the labels.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        compared = f"{compared}: shape {found.shape} in place of {expected.shape}"
        return Comparison(compared, np.inf, 0, counts=True)
    different = found != expected
    if tied is not None:
        compared = f"{compared} ({(different & tied).sum()} ties differ)"
        different &= ~tied
    return Comparison(compared, int(different.sum()), 0, counts=True)


def same_names(compared: str, found: set[str], expected: np.ndarray) -> Comparison:
    """Compare sets of names: how many only one side has."""
    return Comparison(compared, len(found ^ set(expected.tolist())), 0, counts=True)


def near_best(scores: np.ndarray) -> np.ndarray:
    """Classes that rounding could make the arg-max: (C, h, w) → bool (C, h, w).

    Those whose score is less than the tolerance, 1e-4 of the largest score of the array, below
    the largest of the position.
    """
    return scores > scores.max(0) - TOLERANCE * np.abs(scores).max()


def _relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    missing = np.isnan(expected)
    if not np.isfinite(found[~missing]).all() or not np.isnan(found[missing]).all():
        return np.inf
    difference = np.abs(found - expected)[~missing].max(initial=0.0)
    if difference == 0:
        return 0.0
    largest = np.abs(expected[~missing]).max()
    return float(difference / largest) if largest > 0 else np.inf
