"""Real photographs of many sizes, void borders included, through the same DAG."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_photographs_run_to_the_end(tmp_path, photographs, snakemake, write_params):
    folder = link_some(photographs, tmp_path / "some", {"train": 12, "val": 6})
    write_params(
        tmp_path, "photographs", f"datasets.photographs.root={folder}", "shards=1",
        "pretrain.images=64", "pretrain.epochs=1",
        "cam.epochs=1", "cam.batch=4", "cam.inference.scales=[0.5, 1.0]",
        "affinity.epochs=1", "affinity.batch=4",
        "segment.iterations=4", "segment.batch=4", "segment.test.scales=[0.5, 1.0]",
    )  # fmt: skip
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 0, done.stdout
    table = tmp_path / "results/photographs/seam-isl-fsl/evaluate/table.json"
    rows = json.loads(table.read_text())["rows"]
    assert {(r["split"], r["images"]) for r in rows} == {("train", 12), ("val", 6)}
    assert all(len(r["iou"]) == 21 for r in rows)


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
