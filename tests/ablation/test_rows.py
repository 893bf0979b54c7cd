"""Rows of runs: what they keep, and what their names depend on."""

import copy

import pytest
from ruamel.yaml import YAML

from hfpl.ablation.rows import read_rows, run_digest, write_row
from hfpl.params.load import resolve, validate_params
from hfpl.params.presets import preset_text
from hfpl.storage.atomic import write_json

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))
PARAMS = validate_params(DEMO)


def score(split: str, threshold: float) -> dict:
    return {
        "split": split,
        "stage": "cam",
        "post_processing": "none",
        "threshold": threshold,
        "threshold_chosen": "fixed beforehand",
        "images": 100,
        "unseen_classes": 0,
        "miou": 61.25,
        "contour_f": 33.5,
        "contour_precision": 40.0,
        "contour_recall": 20.0,
        "iou": {"background": 90.0, "cat": 1.5},
        "contour_f_per_class": {"cat": 3.5},
    }


def write(folder, run: str, params=PARAMS) -> dict:
    write_json(folder / "cam.json", {"rows": [score("train", 0.25), score("val", 0.25)]})
    for name, seconds in (("train", "100.5"), ("infer-val-0", "20.25")):
        (folder / f"{name}.tsv").write_text(f"s\tmax_rss\n{seconds}\t700\n")
    logs = [folder / "train.tsv", folder / "infer-val-0.tsv", folder / "lost.tsv"]
    row = folder / "row.json"
    write_row(
        resolve(params, run), run, "a" * 16, folder / "cam.json", "CPU x86_64", logs, row
    )  # fmt: skip
    (found,) = read_rows([row])
    return found


def test_a_row_says_what_was_run_and_what_it_scored(tmp_path):
    row = write(tmp_path, "cam-isl-fsl@cam.fsl.mu=3.0@seed=2")
    assert row["run"] == "cam-isl-fsl@cam.fsl.mu=3.0@seed=2"
    assert (row["variant"], row["method"], row["isl"], row["fsl"]) == (
        "cam-isl-fsl", "cam", "binomial", True,
    )  # fmt: skip
    assert row["seed"] == 2
    assert row["changes"] == {"cam.fsl.mu": "3.0"}
    assert row["values"]["cam.fsl.mu"] == 3.0
    assert row["values"]["cam.isl.weight"] == PARAMS.cam.isl.weight
    assert row["seconds"] == pytest.approx(120.8, abs=0.06)
    assert [s["split"] for s in row["scores"]] == ["train", "val"]
    assert row["scores"][0]["miou"] == 61.25
    assert "iou" not in row["scores"][0]


def test_a_plain_method_has_no_values_of_the_added_losses(tmp_path):
    assert write(tmp_path, "seam")["values"] == {}


def test_what_is_no_row_is_named(tmp_path):
    write_json(tmp_path / "other.json", {"rows": []})
    with pytest.raises(ValueError, match=r"other\.json: not the row of a run"):
        read_rows([tmp_path / "other.json"])


def digest(run: str, key: str | None = None, value: object = None, **more) -> str:
    content = copy.deepcopy(DEMO)
    if key:
        *path, last = key.split(".")
        node = content
        for part in path:
            node = node[part]
        node[last] = value
    settings = {"content": [], "final": False, **more}
    return run_digest(resolve(validate_params(content), run), settings.pop("content"), **settings)


def test_equal_runs_have_equal_digests_however_they_are_told():
    assert digest("cam") == digest("cam")
    assert digest("cam@seed=2") == digest("cam", "variants.cam.seed", 2)
    assert digest("cam-fsl@cam.fsl.mu=3.0") == digest("cam-fsl", "cam.fsl.mu", 3.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("variants.cam.seed", 5),
        ("variants.cam.fsl", True),
        ("datasets.shapes.seed", 1),
        ("pretrain.epochs", 5),
        ("cam.epochs", 9),
        ("cam.inference.scales", [1.0]),
        ("evaluate.background_score.cam", 0.3),
    ],
)
def test_what_changes_the_scores_changes_the_digest(key, value):
    assert digest("cam", key, value) != digest("cam")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("variants.cam-fsl.seed", 5),
        ("cam.fsl.mu", 3.0),
        ("cam.methods.puzzle.alpha", 2.0),
        ("pseudo.alpha_low", 2.0),
        ("segment.iterations", 9),
        ("evaluate.background_score.seam", 0.3),
        ("ablation.seeds", [4]),
    ],
)
def test_what_changes_no_score_changes_no_digest(key, value):
    assert digest("cam", key, value) == digest("cam")


def test_the_final_runs_depend_on_the_stages_after_the_cams():
    assert digest("cam", final=True) != digest("cam")
    assert digest("cam", "segment.iterations", 9, final=True) != digest("cam", final=True)
    assert digest("cam", "report.images", 9, final=True) == digest("cam", final=True)


def test_what_the_parameters_do_not_say_counts_too():
    assert digest("cam", content=["other files"]) != digest("cam")


def test_the_root_of_a_folder_does_not_count():
    lists = {"training": "train", "train": "train", "val": "val"}
    entries = [{"format": "voc", "root": root, "lists": lists} for root in ("here", "there")]
    found = set()
    for entry in entries:
        content = {**copy.deepcopy(DEMO), "dataset": "mine", "datasets": {"mine": entry}}
        params = validate_params(content)
        found.add(run_digest(resolve(params, "cam"), [], final=False))
    assert len(found) == 1
