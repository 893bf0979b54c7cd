"""The real DAG, end to end, on a tiny configuration."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RUN = Path("results/shapes/seam-isl-fsl")


def read_rows(folder: Path) -> list[dict]:
    return json.loads((folder / RUN / "evaluate" / "table.json").read_text())["rows"]


def test_every_stage_is_scored_on_both_splits(micro_run):
    rows = read_rows(micro_run)
    per_split = [
        ("cam", "none", "fixed beforehand"),
        ("cam", "none", "best against ground truth"),
        ("pseudo", "CRF at alpha_low", "none"),
        ("pseudo", "CRF at alpha_high", "none"),
        ("walk", "none", "none"),
        ("segment", "none", "none"),
        ("segment", "CRF", "none"),
    ]
    found = [(r["split"], r["stage"], r["post_processing"], r["threshold_chosen"]) for r in rows]
    assert found == [(split, *row) for split in ("train", "val") for row in per_split]
    assert {(r["split"], r["images"]) for r in rows} == {("train", 24), ("val", 8)}
    assert all(0 <= r[key] <= 100 for r in rows for key in ("miou", "contour_f"))
    assert all(len(r["iou"]) == 4 for r in rows)
    assert {r["dataset"] for r in rows} == {"shapes"}


def test_the_best_threshold_is_the_curve_s_and_beats_the_fixed_one(micro_run):
    scores = json.loads((micro_run / RUN / "evaluate" / "cam.json").read_text())
    for split, curve in scores["curve"]["miou"].items():
        assert len(curve) == 60
        fixed, best = (r for r in scores["rows"] if r["split"] == split)
        assert best["miou"] == max(curve)
        assert best["threshold"] == curve.index(max(curve)) / 100
        assert fixed["threshold"] == 0.25
        assert fixed["miou"] == curve[25]


def test_a_second_call_does_nothing(micro_run, snakemake):
    done = snakemake(micro_run, "--cores", "2", "--quiet", "host")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_equal_bytes_on_one_core(micro_run, snakemake, write_params, digests, tmp_path):
    write_params(tmp_path)
    done = snakemake(tmp_path, "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert "(100%) done" in done.stdout
    expected = digests(micro_run / "results")
    assert len(expected) > 40
    assert digests(tmp_path / "results") == expected


def test_results_do_not_depend_on_the_number_of_shards(
    micro_run, snakemake, write_params, tmp_path
):
    write_params(tmp_path, "micro", "shards=3")
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert read_rows(tmp_path) == read_rows(micro_run)
    for pattern in ("cam/val-*.zip", "pseudo/train-*.low.zip", "segment/val-*.crf.zip"):
        assert members(tmp_path, pattern) == members(micro_run, pattern)


def members(folder: Path, pattern: str) -> dict[str, bytes]:
    """Content of every image's member over all shards."""
    found = {}
    for path in (folder / RUN).glob(pattern):
        with zipfile.ZipFile(path) as archive:
            found |= {n: archive.read(n) for n in archive.namelist() if n.endswith(".png")}
    assert found
    return found


def test_a_plan_says_in_one_screen_what_would_run_and_why(
    micro_run, snakemake, write_params, read_plan
):
    write_params(micro_run, "micro", "evaluate.background_score.seam=0.3", "walk.beta=4")
    try:
        plan = snakemake(micro_run, "-n").stdout
    finally:
        write_params(micro_run)
    assert read_plan(plan) == {
        "walk": (4, "walk.beta: 8.0 → 4.0"),
        "segment_train": (1, "walk"),
        "segment_test": (4, "segment_train"),
        "evaluate_cams": (1, "evaluate.background_score.seam: 0.25 → 0.3"),
        "evaluate_masks": (3, "segment_test; walk"),
        "segment_model": (1, "segment_train"),
        "evaluate_table": (1, "evaluate_cams; evaluate_masks"),
        "report": (1, "evaluate_cams; evaluate_table; segment_test; segment_train; 1 more"),
    }
    assert len(plan.splitlines()) < 17


@pytest.mark.parametrize(
    ("setting", "rules"),
    [
        ("evaluate.background_score.seam=0.3", {"evaluate_cams", "evaluate_table", "report"}),
        (
            "segment.test.crf.iterations=2",
            {"segment_test", "segment_model", "evaluate_masks", "evaluate_table", "report"},
        ),
        ("cam.methods.seam.view_scale=0.6", None),
        ("variants.seam.seed=3", set()),
    ],
)
def test_a_changed_parameter_re_runs_what_depends_on_it(
    micro_run, snakemake, write_params, read_plan, setting, rules
):
    write_params(micro_run, "micro", setting)
    try:
        found = set(read_plan(snakemake(micro_run, "-n").stdout))
    finally:
        write_params(micro_run)
    if rules is None:
        assert {"cam_train", "cam_infer", "walk", "segment_train", "evaluate_table"} <= found
        assert not found & {"data_archive", "data_index", "pretrain"}
    else:
        assert found == rules


def test_the_html_report_holds_the_pictures(micro_run, snakemake):
    done = snakemake(micro_run, "--report", "report.html")
    assert done.returncode == 0, done.stdout
    page = (micro_run / "report.html").read_text(encoding="utf-8")
    for name in ("contact-val.png", "threshold-curve.png", "table.csv"):
        assert name in page


def test_the_pages_take_the_scores_of_a_run(micro_run, repository, tmp_path):
    shutil.copytree(repository / "docs", tmp_path / "docs")
    shutil.copy(repository / "README.md", tmp_path)
    command = [sys.executable, "-m", "scripts.update_readme", "--params", micro_run / "params.yaml",
               "--results", micro_run / "results", "--readme", tmp_path / "README.md"]  # fmt: skip
    subprocess.run(command, cwd=repository, check=True)
    assert "(8 images; trained on 24)" in (tmp_path / "docs/demo.md").read_text(encoding="utf-8")
