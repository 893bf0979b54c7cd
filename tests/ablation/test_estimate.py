"""How long runs will take, by finished ones."""

import pytest

from hfpl.ablation.estimate import in_words, seconds_left
from hfpl.stages.cam.params import Variant


def variant(method="cam", isl="none", fsl=False) -> Variant:
    return Variant(method=method, isl=isl, fsl=fsl, seed=0)


def test_a_run_takes_what_those_most_like_it_took(row):
    score = {"val": (1.0, 1.0)}
    rows = [
        {**row("cam", 0, score), "seconds": 100.0},
        {**row("cam", 1, score), "seconds": 110.0},
        {**row("cam-isl", 0, score), "seconds": 130.0},
        {**row("seam", 0, score), "seconds": 300.0},
    ]
    assert seconds_left([variant()], rows) == pytest.approx(105)
    assert seconds_left([variant(isl="binomial")], rows) == pytest.approx(130)
    # No run of cam with FSL: those of cam; none of ppc: all.
    assert seconds_left([variant(fsl=True)], rows) == pytest.approx(340 / 3)
    assert seconds_left([variant("ppc")], rows) == pytest.approx(160)
    assert seconds_left([variant(), variant(), variant("seam")], rows) == pytest.approx(510)
    assert seconds_left([], rows) == 0


def test_without_finished_runs_nobody_knows():
    assert seconds_left([variant()], []) is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "1 s"),
        (20, "20 s"),
        (120, "2 min"),
        (3600, "1 h"),
        (3570, "1 h"),
        (9700, "2 h 42 min"),
    ],
)
def test_a_duration_in_words(seconds, expected):
    assert in_words(seconds) == expected
