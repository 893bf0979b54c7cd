"""The metric and the refiner of docs/extend.md, each saved as the page says, score and refine."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hfpl.images.palette import encode_mask
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.shards import Shard, write_shard
from tests.extend.page import copied_package, example, run_commands

SIZE = (12, 16)
CLASSES = ("cat", "dog")


def label_of(name: str) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[2:8, 3:9] = 1 if name == "t" else 2
    mask[2, 3:9] = 255
    return mask


def cams_of(name: str) -> np.ndarray:
    """Middles of steps of 1/200, so that storing them changes nothing."""
    steps = np.random.default_rng(len(name)).integers(60, 140, (1, *SIZE))
    steps[0, 4:9, 4:11] += 55
    return (steps.astype(np.float32) - np.float32(0.5)) / np.float32(200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository: Path) -> Path:
    """A copy of the package with both files of the page, data, and what the commands wrote."""
    folder = copied_package(repository, tmp_path_factory.mktemp("extended"))
    dice, with_dice = example(repository, "A metric")
    box, with_box = example(repository, "A refiner")
    (folder / "hfpl/plugins/metrics/dice.py").write_text(dice, encoding="utf-8")
    (folder / "hfpl/plugins/refiners/box.py").write_text(box, encoding="utf-8")
    for split, name in (("train", "t"), ("val", "v")):
        pixels = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
        (folder / f"{name}.mask.png").write_bytes(encode_mask(label_of(name)))
        tags = (0,) if name == "t" else (1,)
        record = ImageRecord(name, f"{name}.png", *SIZE, tags, "")
        write_manifest(folder / f"{split}.json", Manifest("pets", split, CLASSES, (record,)))
        mask = MaskRecord(name, f"{name}.mask.png", "")
        write_masks(folder / f"{split}.masks.json", [mask])
        with write_shard(folder / f"{split}.cams.zip", counts_from=0) as shard:
            shard.add_scores(name, tags, cams_of(name))
    # Of both pages' commands one file of parameters.
    params = [*with_dice, *with_box[2:]]
    truth = [f"--{split}-{kind}" for split in ("train", "val") for kind in ("manifests", "masks")]
    files = ["train.json", "train.masks.json", "val.json", "val.masks.json"]
    commands = [
        params,
        *(
            ["pseudo", "--images", ".", "--manifest", f"{split}.json", "--cams",
             f"{split}.cams.zip", "--low", f"{split}.low.zip", "--high", f"{split}.high.zip"]
            for split in ("train", "val")
        ),
        ["evaluate", "masks", "--scored", "pseudo-low", "--images", ".",
         *(part for pair in zip(truth, files, strict=True) for part in pair),
         "--results", "train.low.zip", "val.low.zip", "--out", "low.json"],
        ["evaluate", "table", "--parts", "low.json", "--json", "table.json", "--csv", "table.csv",
         "--metrics", "metrics.json"],
        ["evaluate", "show", "table.json"],
    ]  # fmt: skip
    (folder / "shown.txt").write_text(run_commands(folder, commands), encoding="utf-8")
    return folder


def smoothed(name: str, power: float) -> np.ndarray:
    """Means over squares of 7, mirrored at the border, of the background and the class."""
    cams = cams_of(name)[0].astype(float)
    found = []
    for map_ in ((1 - cams) ** power, cams):
        padded = np.pad(map_, 3, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
        found.append(windows.mean((2, 3)))
    return np.stack(found)


def test_the_refiner_makes_the_scores_of_both_powers(folder):
    for split, name, label in (("train", "t", 1), ("val", "v", 2)):
        for kind, power in (("low", 1.0), ("high", 24.0)):
            shard = Shard(folder / f"{split}.{kind}.zip")
            labels, scores = shard.scores(name, SIZE, counts_from=1)
            assert labels == [0, label]
            np.testing.assert_allclose(scores, smoothed(name, power), atol=0.5 / 200 + 2e-4)


def test_the_metric_has_its_columns_and_the_refiner_its_name(folder):
    rows = json.loads((folder / "table.json").read_text())["rows"]
    assert [row["split"] for row in rows] == ["train", "val"]
    for row, name, label in zip(rows, "tv", (1, 2), strict=True):
        assert row["post_processing"] == "box filter at alpha_low"
        _, scores = Shard(folder / f"{row['split']}.low.zip").scores(name, SIZE, counts_from=1)
        truth, found = label_of(name), scores.argmax(0) * label
        found = np.where(truth == 255, 255, found)
        expected = [
            200
            * ((truth == k) & (found == k)).sum()
            / max(1, (truth == k).sum() + (found == k).sum())
            for k in range(3)
        ]
        assert 0 < expected[label] < 100
        # Each image shows one of the two classes: the other counts in no mean.
        shown = [0, label]
        assert list(row["dice_per_class"]) == ["background", *CLASSES]
        found = list(row["dice_per_class"].values())
        assert found[3 - label] is None
        assert [found[k] for k in shown] == pytest.approx([expected[k] for k in shown], abs=6e-5)
        assert row["dice"] == pytest.approx(np.mean([expected[k] for k in shown]), abs=6e-5)
    heading = (folder / "table.csv").read_text().splitlines()[0].split(",")
    assert "dice" in heading
    assert heading[-3:] == ["dice:background", "dice:cat", "dice:dog"]
    assert "Dice %" in (folder / "shown.txt").read_text()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["val"]["pseudo + box filter at alpha_low"]["dice"] == rows[1]["dice"]
