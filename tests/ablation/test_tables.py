"""The comparison as CSV and as Markdown."""

import csv
import io

import pytest

from hfpl.ablation.compare import compare
from hfpl.ablation.tables import added_losses, as_csv, as_markdown, facts_of


@pytest.fixture
def runs(row):
    scores = [(60.0, 20.0), (62.0, 23.0), (64.0, 20.0)]
    found = [row("cam", seed, {"val": scores[seed]}) for seed in range(3)]
    for seed in range(3):
        both = {"val": (scores[seed][0] + 8 + seed % 2, 35.0)}
        found.append(row("cam-isl-fsl", seed, both))
        found.append(row("cam-isl-fsl", seed, {"val": (65.0, 30.0)}, cam__fsl__mu="3.0"))
    return found


def test_csv_has_a_row_per_setting_and_place(runs):
    compared = compare(runs)
    rows = list(csv.DictReader(io.StringIO(as_csv(compared))))
    assert len(rows) == 6
    both = next(r for r in rows if r["variant"] == "cam-isl-fsl" and r["changes"] == "")
    assert both["seeds"] == "0 1 2"
    assert float(both["miou_mean"]) == pytest.approx(sum([68, 71, 72]) / 3)
    assert float(both["miou_difference_mean"]) == pytest.approx((8 + 9 + 8) / 3)
    assert both["miou_difference_pairs"] == "3"
    plain = next(r for r in rows if r["variant"] == "cam")
    assert plain["miou_difference_mean"] == ""
    assert {r["changes"] for r in rows} == {"", "cam.fsl.mu = 3.0"}


def test_markdown_says_what_was_compared_and_how(runs):
    text = as_markdown(compare(runs), "val", [facts_of(runs), "Chosen by train.", ""])
    lines = text.splitlines()
    assert lines[0] == (
        "Data set `shapes`, 9 runs with seeds 0, 1, 2, trained on CPU x86_64 (2 cores), 100 s per "
        "run."
    )
    assert lines[2] == "Chosen by train."
    assert "**val, 100 images, cam, threshold fixed beforehand; CPU x86_64**" in lines
    assert "**val, 100 images, cam, threshold best against ground truth; CPU x86_64**" in lines
    assert "| cam | none | 3 | 62.0 ± 2.0 |  | 21.0 ± 1.7 |  |" in lines
    # Differences 8, 9, 8: mean 8.33, standard error 1/3, t = 25 with two degrees of freedom, whose
    # 97.5 % quantile is 4.30.
    assert any("| 70.3 ± 2.1 | +8.3 ± 0.3 (+6.9 to +9.8, p 0.002) |" in line for line in lines)
    assert any(line.startswith("| cam-isl-fsl | cam.fsl.mu = 3.0 | 3 |") for line in lines)
    for line in lines:
        assert line.count("|") in (0, 8)


def test_devices_have_tables_of_their_own(row, runs):
    runs = [*runs, row("cam", 0, {"val": (50.0, 10.0)}, "NVIDIA X")]
    text = as_markdown(compare(runs), "val", [facts_of(runs), "Chosen by train.", ""])
    assert text.count("; CPU x86_64**") == text.count("; NVIDIA X**") == 2
    assert "1 runs with seeds 0, trained on NVIDIA X" in text
    assert "| cam | none | 1 | 50.0 |  | 10.0 |  |" in text


@pytest.mark.parametrize(
    ("isl", "fsl", "expected"),
    [
        ("none", False, "none"),
        ("binomial", False, "ISL"),
        ("none", True, "FSL"),
        ("binomial", True, "ISL + FSL"),
        ("multinomial", True, "ISL (multinomial) + FSL"),
    ],
)
def test_the_added_losses_in_words(isl, fsl, expected):
    assert added_losses({"isl": isl, "fsl": fsl}) == expected


def measured(runs: list[dict], start: float = 40.0) -> list[dict]:
    """The same runs, measured by a metric more."""
    return [
        {**run, "scores": [{**s, "boundary_iou": start + run["seed"]} for s in run["scores"]]}
        for run in runs
    ]


def test_another_metric_has_columns_of_its_own(runs):
    text = as_markdown(compare(measured(runs)), "val", [])
    heads = "seeds | mIoU % | difference | boundary IoU % | difference | contour F % | difference |"
    assert f"| method | added | {heads}" in text.splitlines()
    assert "| cam | none | 3 | 62.0 ± 2.0 |  | 41.0 ± 1.0 |  | 21.0 ± 1.7 |  |" in text
    rows = list(csv.DictReader(io.StringIO(as_csv(compare(measured(runs))))))
    assert {row["boundary_iou_mean"] for row in rows} == {"41.0"}


def test_a_metric_that_some_runs_lack_is_not_compared(runs):
    assert compare([*measured(runs[:4]), *runs[4:]]) == compare(runs)
