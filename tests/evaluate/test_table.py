"""The table of all scores: for programs, for spreadsheets and for a terminal."""

import csv
import io
import json
from pathlib import Path

import pytest

from hfpl.cli import main
from hfpl.jobs.settings import Settings
from hfpl.stages.evaluate.table import (
    LEADING,
    metrics_of,
    table_as_csv,
    table_as_text,
    write_table,
)
from hfpl.storage.atomic import write_json


def row(split: str, stage: str, miou: float, threshold: float | None = None) -> dict:
    return {
        "split": split,
        "stage": stage,
        "post_processing": "none",
        "threshold": threshold,
        "threshold_chosen": "none" if threshold is None else "fixed beforehand",
        "images": 12,
        "unseen_classes": 0,
        "miou": miou,
        "contour_f": 30.25,
        "contour_precision": 40.0,
        "contour_recall": 20.0,
        "iou": {"background": 90.0, "cat": 1.5, "a dog, big": 2.5},
        "contour_f_per_class": {"cat": 3.5, "a dog, big": 4.5},
    }


METRICS = ["miou", "contour_f"]
COLUMNS = (*LEADING, "miou", "contour_f", "contour_precision", "contour_recall")


def join(
    dataset: str, variant: str, parts: list[Path], folder: Path, metrics: list[str] = METRICS
) -> None:
    write_table(
        Settings({"dataset": dataset, "evaluate.metrics": metrics}, "evaluate_table"),
        parts=parts,
        json=folder / "t.json",
        csv=folder / "t.csv",
        metrics=folder / "m.json",
        variant=variant,
    )


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    cam, walk = tmp_path / "cam.json", tmp_path / "walk.json"
    write_json(cam, {"rows": [row("train", "cam", 50.0, 0.25), row("val", "cam", 49.0, 0.25)]})
    write_json(walk, {"rows": [row("train", "walk", 55.0), row("val", "walk", 54.0)]})
    return [cam, walk]


@pytest.fixture
def table(tmp_path: Path, parts: list[Path]) -> tuple[list[dict], str]:
    """Rows of the JSON, and the CSV."""
    join("pets", "seam-isl", parts, tmp_path)
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    return rows, (tmp_path / "t.csv").read_text(encoding="utf-8")


def test_rows_stand_train_before_val_in_the_order_of_the_stages(table):
    rows, _ = table
    assert [(r["split"], r["stage"], r["miou"]) for r in rows] == [
        ("train", "cam", 50.0),
        ("train", "walk", 55.0),
        ("val", "cam", 49.0),
        ("val", "walk", 54.0),
    ]
    assert {(r["dataset"], r["variant"]) for r in rows} == {("pets", "seam-isl")}
    assert {k: v for k, v in rows[1].items() if k not in ("dataset", "variant")} == row(
        "train", "walk", 55.0
    )


def test_the_metrics_hold_the_means(tmp_path, table):
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics == {
        split: {
            "cam, threshold fixed beforehand": {"miou": cam, "contour_f": 30.25},
            "walk": {"miou": walk, "contour_f": 30.25},
        }
        for split, cam, walk in (("train", 50.0, 55.0), ("val", 49.0, 54.0))
    }
    row = {**table[0][1], "post_processing": "CRF"}
    assert metrics_of([row], METRICS)["train"].keys() == {"walk + CRF"}


def test_the_csv_says_the_same_as_the_json(table):
    rows, text = table
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == len(rows)
    for line, found in zip(lines, rows, strict=True):
        assert list(line)[: len(COLUMNS)] == list(COLUMNS)
        for name in COLUMNS:
            assert line[name] == ("" if found[name] is None else str(found[name]))
        for name, value in found["iou"].items():
            assert float(line[f"iou:{name}"]) == value
        for name, value in found["contour_f_per_class"].items():
            assert float(line[f"contour_f:{name}"]) == value
        assert len(line) == len(COLUMNS) + 5
    assert "\r" not in text


def test_the_text_is_aligned_and_rounded(table):
    rows, _ = table
    lines = table_as_text(rows).splitlines()
    assert len(lines) == 5
    assert lines[0].split("  ")[0] == "split"
    for line, found in zip(lines[1:], rows, strict=True):
        assert line.startswith(found["split"])
        assert f"{found['miou']:.1f}" in line
        assert line.endswith("30.2")
        assert ("0.25 (fixed beforehand)" in line) == (found["threshold"] is not None)
    # Numbers end below their headings.
    for heading, numbers in (("mIoU %", ("50.0", "55.0", "49.0", "54.0")), ("images", ("12",) * 4)):
        end = lines[0].index(heading) + len(heading)
        assert [line[:end].split()[-1] for line in lines[1:]] == list(numbers)


def test_classes_that_no_mask_shows_are_counted_below(table):
    rows, _ = table
    assert table_as_text(rows).count("\n") == 4
    name = list(rows[0]["iou"])[-1]
    changed = [
        {**r, "unseen_classes": 1, "iou": {**r["iou"], name: None}} if r["split"] == "val" else r
        for r in rows
    ]
    lines = table_as_text(changed).splitlines()
    assert lines[:5] == table_as_text(rows).splitlines()
    (note,) = lines[5:]
    assert note == f"val: 1 of 2 classes are in no mask and count in no mean: {name}"


@pytest.mark.parametrize(
    "content",
    [{}, [], {"rows": 3}, {"rows": ["a"]}, {"rows": [{"split": "train"}]}, {"rows": [{}]}],
)
def test_a_part_that_is_no_list_of_scores_is_named(tmp_path, parts, content):
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"odd\.json"):
        join("pets", "v", [*parts, tmp_path / "odd.json"], tmp_path)
    assert not (tmp_path / "t.json").exists()
    assert not (tmp_path / "t.csv").exists()


def test_a_missing_part_is_named(tmp_path, parts):
    with pytest.raises(ValueError, match=r"nothing\.json: no such file"):
        join("p", "v", [*parts, tmp_path / "nothing.json"], tmp_path)


def test_parts_of_other_classes_are_refused(tmp_path, parts):
    other = row("val", "segment", 60.0)
    other["iou"] = {"background": 1.0, "bird": 2.0}
    write_json(tmp_path / "other.json", {"rows": [other]})
    with pytest.raises(ValueError, match="bird|other.json"):
        join("p", "v", [*parts, tmp_path / "other.json"], tmp_path)


def test_a_table_without_rows_has_its_headings_and_says_why(tmp_path, capsys):
    for name in ("cam", "walk"):
        write_json(tmp_path / f"{name}.json", {"rows": []})
    parts = [tmp_path / "cam.json", tmp_path / "walk.json"]
    join("pets", "v", parts, tmp_path)
    assert (tmp_path / "t.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert json.loads((tmp_path / "t.json").read_text()) == {"rows": []}
    assert main(["evaluate", "show", str(tmp_path / "t.json")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "No scores: no image has a ground truth."


def test_a_csv_of_one_row_has_a_heading():
    whole = {"dataset": "d", "variant": "v", **row("val", "cam", 1.0)}
    heading, line = table_as_csv([whole], METRICS).splitlines()
    assert heading.startswith("dataset,variant,split,stage,")
    assert '"iou:a dog, big"' in heading
    assert line.startswith("d,v,val,cam,none,,none,12,0,1.0,")


def test_columns_of_another_metric_follow(tmp_path):
    scores = {"background": 70.0, "cat": 11.5, "a dog, big": 12.5}
    more = {"boundary_iou": 33.25, "boundary_iou_per_class": scores, "counts": {"miou": [[1]]}}
    write_json(tmp_path / "walk.json", {"rows": [{**row("val", "walk", 54.0), **more}]})
    parts = [tmp_path / "walk.json"]
    join("pets", "v", parts, tmp_path)
    plain = (tmp_path / "t.csv").read_text().splitlines()
    join("pets", "v", parts, tmp_path, [*METRICS, "boundary_iou"])
    heading, line = csv.reader((tmp_path / "t.csv").read_text().splitlines())
    assert heading[: len(COLUMNS) + 1] == [*COLUMNS, "boundary_iou"]
    assert heading[-3:] == [f"boundary_iou:{name}" for name in sorted(scores)]
    assert [line[len(COLUMNS)], *line[-3:]] == ["33.25", "12.5", "70.0", "11.5"]
    assert [h for h in heading if "boundary_iou" not in h] == next(csv.reader(plain))
    (found,) = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert "counts" not in found
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics == {"val": {"walk": {"miou": 54.0, "contour_f": 30.25, "boundary_iou": 33.25}}}
    text = table_as_text([found]).splitlines()
    assert text[0].endswith("mIoU %  boundary IoU %  contour F %")
    assert text[1].split()[-3:] == ["54.0", "33.2", "30.2"]


def test_a_metric_that_was_not_measured_is_missed(tmp_path, parts):
    with pytest.raises(ValueError, match=r"cam\.json: not a table of scores"):
        join("pets", "v", parts, tmp_path, [*METRICS, "boundary_iou"])
