"""The benchmarks: both sides agree, differences are noticed, what is measured is what is shown."""

import numpy as np
import pytest
import torch

from benchmarks import measure
from benchmarks.__main__ import misses, row
from benchmarks.comparison import Comparison, assert_close, assert_equal
from benchmarks.loading import loading_table
from benchmarks.measure import Measured
from benchmarks.steps import MODULES, comparisons

ALL = [(module, index) for module in MODULES for index in range(len(comparisons(module)))]


@pytest.fixture(autouse=True)
def threads():
    """Leaves the number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def moved(result):
    """A result with its first value off by a thousandth of its largest, or by one."""
    if isinstance(result, (tuple, list)):
        return [moved(result[0]), *result[1:]]
    array = (result.detach().numpy() if torch.is_tensor(result) else np.asarray(result)).copy()
    if array.dtype.kind == "f":
        array.flat[0] += 1e-3 * np.abs(array).max()
    else:
        array.flat[0] = not array.flat[0]
    return array


@pytest.mark.parametrize(("module", "index"), ALL)
def test_both_sides_agree_and_a_difference_is_noticed(module, index):
    comparison = comparisons(module)[index]
    arguments = comparison.prepare(True)
    fast = comparison.fast(*arguments)
    if comparison.plain is not None:
        comparison.check(comparison.plain(*comparison.prepare(True)), fast)
    with pytest.raises(AssertionError):
        comparison.check(fast, moved(fast))


def test_results_of_other_shapes_or_numbers_are_not_equal():
    with pytest.raises(AssertionError):
        assert_close(np.ones(3), np.ones(4))
    with pytest.raises(AssertionError):
        assert_equal([np.ones(3)], [np.ones(3), np.ones(3)])
    assert_close([np.ones(3), torch.tensor(1e4)], [np.ones(3) * 1.00005, torch.tensor(1e4 + 0.5)])


def fill(megabytes: int):
    """Takes memory and gives back a number."""
    return lambda seed: np.random.default_rng(seed).random(megabytes * 2**17).round().size * 0 + 1.0


def compare(monkeypatch, plain, fast, **changes):
    made = Comparison("a", "b", lambda small: (0,), plain, fast, assert_equal, **changes)
    monkeypatch.setattr(measure, "comparisons", lambda module: (made,))
    return made


def test_peaks_are_those_of_the_call_alone(monkeypatch):
    compare(monkeypatch, fill(64), fill(8))
    fill(200)(0)  # What was taken before does not count.
    for side, megabytes in (("plain", 128), ("fast", 16)):
        assert measure.peak_memory("any", 0, side) / 2**20 == pytest.approx(megabytes, rel=0.3)


def test_pairs_are_measured_in_turn_and_their_results_compared(monkeypatch):
    calls = []
    sides = [lambda seed, name=name: calls.append(name) or 1.0 for name in ("plain", "fast")]
    monkeypatch.setattr(measure, "_LEAST_SECONDS", 0)
    compare(monkeypatch, *sides)
    plain, fast = measure.paired_seconds("any", 0, 3)
    assert len(plain) == len(fast) == 3
    assert min(plain + fast) > 0
    assert calls == 4 * ["plain", "fast"]  # the first time on small inputs
    compare(monkeypatch, sides[0], lambda seed: 2.0)
    with pytest.raises(AssertionError):
        measure.paired_seconds("any", 0, 1)


def test_what_has_no_plain_definition_is_measured_alone(monkeypatch):
    compare(monkeypatch, None, lambda seed: 1.0)
    plain, fast = measure.paired_seconds("any", 0, 2)
    assert plain == []
    assert len(fast) == 2


def test_a_row_shows_medians_and_the_least_ratio():
    step = Comparison("a step", "plainly", lambda small: (), None, None, assert_equal, 5, 4)
    measured = Measured([1.0, 3.0, 1.2], [0.1, 0.5, 0.1], 40_000_000, 8_000_000)
    assert row(step, measured) == (
        "| a step | plainly | 1.20 s | 100 ms | 10 (6.0) | ≥ 5 | 40.0 | 8.0 | 5.0 | ≥ 4 |"
    )
    alone = Measured([], [0.002], None, 3_000_000)
    assert row(step, alone).startswith("| a step | plainly | – | 2 ms | – | ≥ 5 | – | 3.0 | – |")


@pytest.mark.parametrize(
    ("plain", "peak", "missed"),
    [([5.0, 5.0, 5.0], 40, False), ([5.0, 4.9, 4.9], 40, True), ([9.0] * 3, 39, True)],
)
def test_what_is_less_than_wanted_is_told(plain, peak, missed):
    step = Comparison("a", "b", lambda small: (), None, None, assert_equal, 5, 4)
    measured = Measured(plain, [1.0] * 3, peak * 10**6, 10**7)
    assert misses(step, measured) is missed


def test_every_training_is_fed_and_measured():
    lines = loading_table("micro", 4)
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "pretrain, drawing included",
        "cam",
        "affinity",
        "segment",
    ]
    for line in lines[2:]:
        loaded, taken = (float(cell) for cell in line.split("|")[2:4])
        assert loaded > 0
        assert taken > 0
