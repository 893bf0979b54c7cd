"""Real photographs of many sizes, void borders included, through the same DAG."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_photographs_run_to_the_end(tmp_path, photographs, snakemake, write_params):
    folder = link_some(photographs, tmp_path / "some", {"train": 12, "val": 6})
    write_params(
        tmp_path, "photographs", f"datasets.photographs.root={folder}", "shards=1",
        "cam.epochs=1", "cam.batch=4", "cam.inference.scales=[0.5, 1.0]",
        "affinity.epochs=1", "affinity.batch=4",
        "segment.iterations=4", "segment.batch=4", "segment.test.scales=[0.5, 1.0]",
    )  # fmt: skip
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    table = tmp_path / "results/photographs/seam-fsl/evaluate/table.json"
    rows = json.loads(table.read_text())["rows"]
    assert {(r["split"], r["images"]) for r in rows} == {("train", 12), ("val", 6)}
    assert all(len(r["iou"]) == 21 for r in rows)
    # The weights come with an installed package, and no stage makes others.
    assert not (tmp_path / "results/photographs/pretrain").exists()
    calibration = tmp_path / "results/photographs/seam-fsl/cam/calibration.json"
    assert 0 < json.loads(calibration.read_text())["threshold"] < 1


def test_official_masks_are_a_ceiling(tmp_path, photographs, snakemake, write_params):
    folder = link_some(photographs, tmp_path / "some", {"train": 8, "val": 4})
    write_params(
        tmp_path, "photographs", f"datasets.photographs.root={folder}", "shards=1",
        "variant=supervised", "segment.iterations=2", "segment.batch=4",
        "segment.test.scales=[0.5]",
    )  # fmt: skip
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    run = tmp_path / "results/photographs/supervised"
    assert sorted(folder.name for folder in run.iterdir()) == ["evaluate", "segment"]
    rows = json.loads((run / "evaluate/table.json").read_text())["rows"]
    assert [(r["split"], r["stage"], r["post_processing"]) for r in rows] == [
        (split, "segment, official masks", refined)
        for split in ("train", "val")
        for refined in ("none", "CRF")
    ]


def link_some(source: Path, target: Path, counts: dict[str, int]) -> Path:
    """A VOC folder that lists a few of the source's images and links to its files."""
    lists = target / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, count in counts.items():
        names = (source / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()
        (lists / f"{split}.txt").write_text("\n".join(names[:count]) + "\n")
    for name in ("JPEGImages", "SegmentationClass", "Annotations"):
        (target / name).symlink_to(source / name)
    return target
