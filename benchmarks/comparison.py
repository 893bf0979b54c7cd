"""A step of the pipeline beside its plain definition, and how equal results are checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

TOLERANCE = 1e-4
"""Largest difference of two results, as a share of the plain one's largest value."""


@dataclass(frozen=True)
class Comparison:
    """One row of the table.

    Attributes:
        name: step and size of its inputs.
        plain_name: the plain definition in words; where there is none, why.
        prepare: from whether the inputs are to be small to the arguments of both. Equal at every
            call.
        plain: the definition, as published; None where it cannot run.
        fast: what the pipeline calls.
        check: AssertionError where the results of plain and fast are not equal.
        faster, lighter: how many times less time and peak memory are wanted, or None.
        alone: whether all the work is done in one process, whose peak memory says something.
    """

    name: str
    plain_name: str
    prepare: Callable[[bool], tuple]
    plain: Callable[..., Any] | None
    fast: Callable[..., Any]
    check: Callable[[Any, Any], None]
    faster: float | None = None
    lighter: float | None = None
    alone: bool = True


def assert_close(plain: Any, fast: Any) -> None:
    """Arrays, or sequences of them, agree within :data:`TOLERANCE`."""
    if isinstance(plain, (tuple, list)):
        assert len(plain) == len(fast)
        for one, other in zip(plain, fast, strict=True):
            assert_close(one, other)
        return
    one, other = (np.asarray(x.detach() if torch.is_tensor(x) else x) for x in (plain, fast))
    assert one.shape == other.shape, f"shapes {one.shape} and {other.shape}"
    error, scale = np.abs(one - other).max(), np.abs(one).max()
    assert error <= TOLERANCE * scale, f"differ by {error:.2g}, largest value {scale:.2g}"


def assert_equal(plain: Any, fast: Any) -> None:
    """Arrays, or sequences of them, are equal to the bit."""
    if isinstance(plain, (tuple, list)):
        assert len(plain) == len(fast)
        for one, other in zip(plain, fast, strict=True):
            assert_equal(one, other)
        return
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(fast))
