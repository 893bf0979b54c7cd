"""Means, deviations and paired differences against plain computation."""

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfpl.ablation.compare import Setting, baseline, compare, difference_of, mean_of

# Scores with seeds 0, 1 and 2 on val: mIoU, contour F.
PLAIN = [(60.0, 20.0), (62.0, 23.0), (64.0, 20.0)]
BOTH = [(68.0, 33.0), (71.0, 31.0), (71.0, 38.0)]


def p_of(t: float, pairs: int) -> float:
    """Two-sided p of Student's t with one or two degrees of freedom, in closed form."""
    if pairs == 2:
        return 1 - 2 / math.pi * math.atan(t)
    return 1 - t / math.sqrt(2 + t * t)


QUANTILES = {2: 12.706204736, 3: 4.302652730}
"""97.5 % of Student's t with one and with two degrees of freedom, from its tables."""


def plain_difference(first: list[float], second: list[float]):
    """Mean, standard error, half of the 95 % interval, p."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    n = len(differences)
    mean = sum(differences) / n
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1)) / math.sqrt(n)
    return mean, error, QUANTILES[n] * error, p_of(abs(mean) / error, n)


@pytest.fixture
def rows(row):
    found = [row("cam", seed, {"val": PLAIN[seed]}) for seed in range(3)]
    return found + [row("cam-isl-fsl", seed, {"val": BOTH[seed]}) for seed in range(3)]


def find(rows, variant, chosen="fixed beforehand", **more):
    (found,) = (
        r
        for r in rows
        if r["variant"] == variant
        and r["threshold_chosen"] == chosen
        and all(r[key] == value for key, value in more.items())
    )
    return found


@pytest.mark.parametrize(("metric", "place"), [("miou", 0), ("contour_f", 1)])
@pytest.mark.parametrize("seeds", [3, 2])
def test_means_deviations_and_differences_match_plain_computation(rows, metric, place, seeds):
    chosen = [r for r in rows if r["seed"] < seeds]
    compared = compare(chosen)
    for variant, scores in (("cam", PLAIN), ("cam-isl-fsl", BOTH)):
        values = [score[place] for score in scores[:seeds]]
        mean = sum(values) / seeds
        std = math.sqrt(sum((v - mean) ** 2 for v in values) / (seeds - 1))
        found = find(compared, variant)[metric]
        assert found == {"mean": pytest.approx(mean), "std": pytest.approx(std), "count": seeds}
    assert find(compared, "cam")[f"{metric}_difference"] is None
    first, second = ([s[place] for s in scores[:seeds]] for scores in (BOTH, PLAIN))
    mean, error, half_width, p = plain_difference(first, second)
    assert find(compared, "cam-isl-fsl")[f"{metric}_difference"] == {
        "mean": pytest.approx(mean),
        "error": pytest.approx(error),
        "half_width": pytest.approx(half_width),
        "p": pytest.approx(p, rel=1e-6),
        "pairs": seeds,
    }


def test_thresholds_are_compared_with_their_like(rows):
    compared = compare(rows)
    assert len(compared) == 4
    best = find(compared, "cam-isl-fsl", "best against ground truth")
    assert best["miou"]["mean"] == pytest.approx(72.0)
    assert best["threshold"] == pytest.approx(0.25 + 0.01 * (1 + 2 + 3) / 3)
    assert find(compared, "cam")["threshold"] == 0.25
    assert best["seeds"] == [0, 1, 2]


def test_the_order_of_the_rows_does_not_matter_to_the_numbers(rows):
    expected = find(compare(rows), "cam-isl-fsl")
    for order in list(permutations(rows))[::100]:
        assert find(compare(order), "cam-isl-fsl") == expected


def test_only_equal_seeds_are_paired(row, rows):
    compared = compare([*rows, row("cam", 7, {"val": (0.0, 0.0)})])
    both = find(compared, "cam-isl-fsl")
    assert both["miou_difference"]["pairs"] == 3
    assert both["miou_difference"]["mean"] == pytest.approx(8.0)
    assert find(compared, "cam")["miou"]["count"] == 4


def test_rows_of_other_devices_are_never_paired(row, rows):
    gpu = [row("cam-isl-fsl", seed, {"val": (90.0, 90.0)}, "NVIDIA X") for seed in range(3)]
    compared = compare([*rows, *gpu])
    assert find(compared, "cam-isl-fsl", device="CPU x86_64")["miou"]["mean"] == pytest.approx(70)
    other = find(compared, "cam-isl-fsl", device="NVIDIA X")
    assert other["miou"]["mean"] == 90
    assert other["miou_difference"] is None


def test_a_method_is_compared_with_itself_alone(row, rows):
    seam = [row("seam-multinomial", seed, {"val": (50.0, 10.0)}) for seed in range(2)]
    assert find(compare([*rows, *seam]), "seam-multinomial")["miou_difference"] is None
    plain = [row("seam", seed, {"val": (45.0, 10.0)}) for seed in range(2)]
    found = find(compare([*rows, *seam, *plain]), "seam-multinomial")["miou_difference"]
    assert found["mean"] == 5
    assert (found["error"], found["p"]) == (0, 0)


def test_changed_values_of_the_added_losses_keep_the_baseline_and_others_need_their_own(row, rows):
    mu = [row("cam-isl-fsl", s, {"val": (69.0, 30.0)}, cam__fsl__mu="3.0") for s in range(3)]
    long = [row("cam-isl-fsl", s, {"val": (80.0, 30.0)}, cam__epochs="20") for s in range(3)]
    compared = compare([*rows, *mu, *long])
    assert find(compared, "cam-isl-fsl", changes={"cam.fsl.mu": "3.0"})["miou_difference"][
        "mean"
    ] == pytest.approx(7.0)
    assert find(compared, "cam-isl-fsl", changes={"cam.epochs": "20"})["miou_difference"] is None
    base = [row("cam", s, {"val": (75.0, 30.0)}, cam__epochs="20") for s in range(3)]
    compared = compare([*rows, *mu, *long, *base])
    assert find(compared, "cam-isl-fsl", changes={"cam.epochs": "20"})["miou_difference"][
        "mean"
    ] == pytest.approx(5.0)
    assert find(compared, "cam-isl-fsl", changes={})["miou_difference"]["mean"] == pytest.approx(8)


def test_a_single_seed_has_no_spread(row):
    compared = compare([row("cam", 0, {"val": (60.0, 20.0)}),
                        row("cam-isl", 0, {"val": (61.5, 19.0)})])  # fmt: skip
    found = find(compared, "cam-isl")
    assert found["miou"] == {"mean": 61.5, "std": None, "count": 1}
    assert found["contour_f_difference"] == {
        "mean": -1.0, "error": None, "half_width": None, "p": None, "pairs": 1,
    }  # fmt: skip


def test_the_same_run_twice_is_an_error(rows):
    with pytest.raises(ValueError, match="two rows of run cam@seed=1 on CPU x86_64"):
        compare([*rows, rows[1]])


def test_every_split_has_its_rows(row):
    scores = {"train": (70.0, 30.0), "val": (60.0, 20.0)}
    compared = compare([row("cam", 0, scores)])
    assert [(r["split"], r["miou"]["mean"]) for r in compared] == [
        ("train", 70), ("train", 72), ("val", 60), ("val", 62),
    ]  # fmt: skip


def test_a_baseline_has_no_added_loss():
    plain = Setting("cam", "cam", "none", False, ())
    others = [
        Setting("cam-isl", "cam", "binomial", False, ()),
        Setting("seam", "seam", "none", False, ()),
        plain,
    ]
    changes = (("cam.fsl.mu", "1.0"), ("cam.isl.samples", "3"))
    assert baseline(Setting("x", "cam", "expected", True, changes), others) == plain
    assert baseline(Setting("x", "ppc", "none", True, ()), others) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=6))
def test_a_difference_turns_with_its_sides(pairs):
    one = difference_of(pairs)
    other = difference_of([(b, a) for a, b in pairs])
    assert one.mean == pytest.approx(-other.mean, abs=1e-9)
    assert one.error == pytest.approx(other.error, abs=1e-9)
    assert 0 <= one.p <= 1
    assert mean_of([a - b for a, b in pairs]).mean == one.mean
