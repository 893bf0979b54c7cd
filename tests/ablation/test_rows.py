"""Rows of runs: what they keep, and what their names depend on."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
from ruamel.yaml import YAML

from hfpl.ablation.rows import add_row, make_row, read_rows, rows_as_csv, run_key
from hfpl.params.load import resolve, validate_params
from hfpl.params.presets import preset_text
from hfpl.storage.atomic import write_json

WHOLE = {"only": None, "limit": None}
"""A data set of which all is taken."""

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
    file = folder / "ablation.csv"
    row = make_row(resolve(params, run), run, "a" * 16, folder / "cam.json", "CPU x86_64", logs)
    add_row(file, row)
    (found,) = read_rows([file])
    assert found == row
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


def test_rows_of_runs_stand_in_one_file_a_line_per_score(tmp_path, row):
    file = tmp_path / "docs" / "ablation.csv"
    assert read_rows([file]) == []
    rows = [
        {**row("seam", 1, {"val": (50.0, 20.0)}), "key": "1" * 16},
        {**row("cam-isl", 0, {"train": (60.5, 30.25), "val": (50.0, 20.0)}), "key": "0" * 16},
    ]
    for one in rows:
        add_row(file, one)
    assert len(file.read_text().splitlines()) == 1 + 2 + 4
    assert {one["key"]: one for one in read_rows([file])} == {one["key"]: one for one in rows}
    # The same run again takes the place of the first.
    add_row(file, {**rows[0], "seconds": 7.5})
    assert {one["key"]: one["seconds"] for one in read_rows([file])} == {
        "1" * 16: 7.5, "0" * 16: 100.0,
    }  # fmt: skip


def test_many_runs_may_end_at_once(tmp_path, row):
    file = tmp_path / "ablation.csv"
    rows = [{**row("cam", k, {"val": (1.0 * k, 2.0)}), "key": f"{k:016x}"} for k in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: add_row(file, one), rows))
    assert {one["key"] for one in read_rows([file])} == {one["key"] for one in rows}


@pytest.mark.parametrize("text", ["run\nx\n", "{}", rows_as_csv([]) + "a,b\n"])
def test_what_holds_no_rows_is_named(tmp_path, text):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=r"other\.csv: not the rows of a comparison"):
        read_rows([tmp_path / "other.csv"])


def digest(run: str, key: str | None = None, value: object = None, **more) -> str:
    content = copy.deepcopy(DEMO)
    if key:
        *path, last = key.split(".")
        node = content
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    settings = {"content": [], "final": False, **more}
    return run_key(resolve(validate_params(content), run), settings.pop("content"), **settings)


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
    entries = [
        {"format": "voc", "root": root, "lists": lists, **WHOLE} for root in ("here", "there")
    ]
    found = set()
    for entry in entries:
        content = {**copy.deepcopy(DEMO), "dataset": "mine", "datasets": {"mine": entry}}
        params = validate_params(content)
        found.add(run_key(resolve(params, "cam"), [], final=False))
    assert len(found) == 1


def test_a_metric_more_is_a_column_more_empty_where_it_was_not_measured(tmp_path, row):
    old, new = row("cam", 0, {"val": (60.0, 20.0)}), row("cam", 1, {"val": (61.0, 21.0)})
    new["key"] = "1" * 16
    for score in new["scores"]:
        score["boundary_iou"] = 33.5
    file = tmp_path / "ablation.csv"
    add_row(file, old)
    assert "boundary_iou" not in file.read_text()
    add_row(file, new)
    assert file.read_text().splitlines()[0].endswith(",images,miou,boundary_iou,contour_f,counts")
    found = {run["key"]: run["scores"] for run in read_rows([file])}
    assert [score["boundary_iou"] for score in found["1" * 16]] == [33.5, 33.5]
    assert all("boundary_iou" not in score for score in found["0" * 16])
    # Also where the metric's file is gone.
    file.write_text(file.read_text().replace("boundary_iou", "someones_own"))
    add_row(file, old)
    assert {"someones_own"} <= read_rows([file])[1]["scores"][0].keys()
