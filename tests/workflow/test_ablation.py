"""The comparison of variants over seeds, through the real DAG."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest

from hfpl.ablation.rows import read_rows as rows_of

ROWS = Path("docs/ablation/shapes/ablation.csv")
TABLE = Path("results/shapes/ablation")
RUNS = {f"{run}{seed}" for run in ("cam", "cam-isl-fsl", "cam-isl-fsl@cam.fsl.mu=3.0")
        for seed in ("", "@seed=1")}  # fmt: skip


def test_common_stages_are_planned_once(tmp_path, snakemake, write_params, read_plan):
    write_params(tmp_path)
    done = snakemake(tmp_path, "-n", "ablation")
    plan = {rule: jobs for rule, (jobs, _) in read_plan(done.stdout).items()}
    assert plan == {
        "data_archive": 1,
        "data_index": 1,
        "data_masks": 1,
        "pretrain": 1,
        "cam_train": 6,
        "cam_infer": 24,
        "evaluate_cams": 6,
        "ablation_row": 6,
        "ablation_table": 1,
    }
    assert "6 runs to be made; no finished run tells how long" in done.stdout


def test_the_final_comparison_goes_on_to_segmentation(tmp_path, snakemake, write_params, read_plan):
    write_params(tmp_path)
    plan = read_plan(snakemake(tmp_path, "-n", "ablation-final").stdout)
    assert {rule: plan[rule][0] for rule in ("pretrain", "cam_train", "segment_train")} == {
        "pretrain": 1, "cam_train": 2, "segment_train": 2,
    }  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory, snakemake, write_params) -> Path:
    """Folder of a finished comparison on the micro configuration."""
    folder = tmp_path_factory.mktemp("ablation")
    write_params(folder, "micro", "shards=1")
    done = snakemake(folder, "--cores", "2", "ablation")
    assert done.returncode == 0, done.stdout
    return folder


def read_rows(folder: Path) -> dict[str, dict]:
    return {row["run"]: row for row in rows_of([folder / ROWS])}


@pytest.mark.slow
def test_every_run_leaves_a_row(finished):
    rows = read_rows(finished)
    assert set(rows) == RUNS
    for run, row in rows.items():
        scores = json.loads(
            (finished / "results/shapes" / run / "evaluate/cam.json").read_text()
        )["rows"]  # fmt: skip
        assert [s["miou"] for s in row["scores"]] == [s["miou"] for s in scores]
        assert row["device"].startswith("CPU")
        assert row["seconds"] > 0
        assert len(row["key"]) == 16


@pytest.mark.slow
def test_the_table_holds_what_the_rows_say(finished):
    rows = read_rows(finished)
    with (finished / TABLE / "table.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 3 * 2 * 2  # settings, splits, thresholds

    def values(variant, changes, split, chosen):
        return {
            row["seed"]: score["miou"]
            for row in rows.values()
            for score in row["scores"]
            if row["variant"] == variant and bool(row["changes"]) == bool(changes)
            and (score["split"], score["threshold_chosen"]) == (split, chosen)
        }  # fmt: skip

    for line in table:
        key = (line["split"], line["threshold_chosen"])
        own = values(line["variant"], line["changes"], *key)
        base = values("cam", "", *key)
        assert sorted(own) == sorted(base) == [0, 1]
        assert float(line["miou_mean"]) == pytest.approx((own[0] + own[1]) / 2)
        spread = abs(own[0] - own[1]) / math.sqrt(2)
        assert float(line["miou_std"]) == pytest.approx(spread, abs=1e-9)
        if line["variant"] == "cam":
            assert line["miou_difference_mean"] == ""
        else:
            mean = (own[0] - base[0] + own[1] - base[1]) / 2
            assert float(line["miou_difference_mean"]) == pytest.approx(mean, abs=1e-9)
    for name in ("table.md", "table.json", "comparison.png"):
        assert (finished / TABLE / name).stat().st_size > 0


@pytest.mark.slow
def test_a_second_call_does_nothing(finished, snakemake):
    done = snakemake(finished, "--cores", "2", "--quiet", "host", "--", "ablation")
    assert "Nothing to be done" in done.stdout


@pytest.mark.slow
def test_rows_alone_are_enough_for_the_table(
    finished, snakemake, read_plan, tmp_path, write_params
):
    """Elsewhere, with the docs of a checkout and no result at all."""
    write_params(tmp_path, "micro", "shards=1")
    shutil.copytree(finished / "docs", tmp_path / "docs")
    plan = read_plan(snakemake(tmp_path, "-n", "ablation").stdout)
    assert {rule: jobs for rule, (jobs, _) in plan.items()} == {"ablation_table": 1}
    done = snakemake(tmp_path, "--cores", "1", "ablation")
    assert done.returncode == 0, done.stdout
    for name in ("table.csv", "table.md", "comparison.png"):
        assert (tmp_path / TABLE / name).read_bytes() == (finished / TABLE / name).read_bytes()


@pytest.mark.slow
def test_only_runs_that_are_not_there_are_made(finished, snakemake, read_plan, write_params):
    """A further seed, and another value of the added losses: the plan says which and how long."""
    try:
        write_params(finished, "micro", "shards=1", "ablation.seeds=[0, 1, 2]")
        text = snakemake(finished, "-n", "ablation").stdout
        assert read_plan(text)["cam_train"][0] == read_plan(text)["ablation_row"][0] == 3
        assert "3 runs to be made; about " in text
        write_params(finished, "micro", "shards=1", "cam.isl.weight=0.3")
        plan = read_plan(snakemake(finished, "-n", "ablation").stdout)
        assert plan["cam_train"][0] == plan["ablation_row"][0] == 4
        assert "pretrain" not in plan
    finally:
        write_params(finished, "micro", "shards=1")
