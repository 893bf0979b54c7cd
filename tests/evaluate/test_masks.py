"""The evaluation of label maps, and of the best class of scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from hfpl.images.palette import encode_mask
from hfpl.jobs.settings import Settings
from hfpl.stages.evaluate.masks import evaluate_masks
from hfpl.stages.evaluate.score import NONE
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.shards import write_shard

CLASSES = ("cat", "dog")
SPLITS = {"train": ("t1", "t2"), "val": ("v1",)}
NAMES = ("t1", "t2", "v1")
SIZE = (9, 10)
SETTINGS = {
    "evaluate.metrics": ["miou", "contour_f"],
    "pseudo.refiner": "crf",
    "segment.test.refiner": "crf",
}


def labels(name: str, salt: int) -> np.ndarray:
    rng = np.random.default_rng([salt, *name.encode()])
    return np.kron(rng.integers(0, 3, (3, 2)), np.ones((3, 5))).astype(np.uint8)


class Written:
    """Manifests, masks and label maps of both splits; an image more without a ground truth."""

    def __init__(self, folder: Path) -> None:
        (folder / "m").mkdir()
        self.root, self.output = folder, folder / "scores.json"
        self.manifests, self.masks = [], []
        for split, names in SPLITS.items():
            records = [ImageRecord(n, f"{n}.jpg", *SIZE, (), "") for n in (*names, f"{split}-x")]
            path, masks = folder / f"{split}.json", folder / f"{split}.masks.json"
            write_manifest(path, Manifest("pets", split, CLASSES, tuple(records)))
            write_masks(masks, [MaskRecord(n, f"m/{n}.png", "") for n in names])
            self.manifests.append([path])
            self.masks.append([masks])
            for name in names:
                (folder / "m" / f"{name}.png").write_bytes(encode_mask(labels(name, 1)))
        self.results = folder / "results.zip"
        with write_shard(self.results) as shard:
            for name in NAMES:
                shard.add_mask(name, labels(name, 2))

    def evaluate(self, scored: str = "walk") -> list[dict]:
        (train, val), (train_masks, val_masks) = self.manifests, self.masks
        evaluate_masks(
            Settings(SETTINGS, "evaluate_masks"),
            images=self.root,
            train_manifests=train,
            val_manifests=val,
            train_masks=train_masks,
            val_masks=val_masks,
            results=[self.results],
            out=self.output,
            scored=scored,
        )
        return json.loads(self.output.read_text())["rows"]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def plain_ious(names: tuple[str, ...], predictions: dict[str, np.ndarray]) -> list[float]:
    found = []
    for label in range(3):
        hits = union = 0
        for name in names:
            truth, prediction = labels(name, 1) == label, predictions[name] == label
            hits += int((truth & prediction).sum())
            union += int((truth | prediction).sum())
        found.append(100 * hits / (union + 1e-10))
    return found


def assert_ious(rows: list[dict], predictions: dict[str, np.ndarray]) -> None:
    assert [row["split"] for row in rows] == ["train", "val"]
    for row in rows:
        expected = plain_ious(SPLITS[row["split"]], predictions)
        assert list(row["iou"]) == ["background", "cat", "dog"]
        assert list(row["iou"].values()) == pytest.approx(expected, abs=6e-5)
        assert row["miou"] == pytest.approx(np.mean(expected), abs=6e-5)


def test_label_maps_are_scored_as_they_are(written):
    rows = written.evaluate("segment-crf")
    assert_ious(rows, {name: labels(name, 2) for name in NAMES})
    for row, count in zip(rows, (2, 1), strict=True):
        assert row["images"] == count
        assert (row["stage"], row["post_processing"]) == ("segment", "CRF")
        assert (row["threshold"], row["threshold_chosen"]) == (None, NONE)


def test_of_scores_the_largest_wins_and_of_equal_ones_the_first(written):
    predictions = {}
    with write_shard(written.results, counts_from=1) as shard:
        for number, name in enumerate(NAMES):
            rng = np.random.default_rng(number)
            steps = rng.integers(0, 4, (2, *SIZE))
            channels = [0, 2] if number % 2 else [0, 1]
            shard.add_scores(name, channels, (steps / 5).astype(np.float32))
            predictions[name] = np.where(steps[1] > steps[0], channels[1], 0)
    assert_ious(written.evaluate("pseudo-low"), predictions)


def test_an_image_with_background_scores_alone_is_background(written):
    with write_shard(written.results, counts_from=1) as shard:
        for name in NAMES:
            shard.add_scores(name, [0], np.ones((1, *SIZE), np.float32))
    predictions = {name: np.zeros(SIZE, np.uint8) for name in NAMES}
    assert_ious(written.evaluate("pseudo-low"), predictions)


def test_a_split_without_ground_truth_has_no_row(written):
    rows = written.evaluate()
    write_masks(written.masks[0][0], [])
    assert written.evaluate() == rows[1:]
    write_masks(written.masks[1][0], [])
    assert written.evaluate() == []


def test_a_missing_result_is_named_and_nothing_is_written(written):
    with write_shard(written.results) as shard:
        shard.add_mask("t1", labels("t1", 2))
    with pytest.raises(ValueError, match="no result for image 't2'"):
        written.evaluate()
    assert not written.output.exists()


def test_a_result_of_another_size_is_named(written):
    with write_shard(written.results) as shard:
        for name in NAMES:
            shard.add_mask(name, np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="t1"):
        written.evaluate()


def test_cams_in_place_of_refined_scores_are_refused(written):
    """Their classes count from 0: every label would be one too low."""
    with write_shard(written.results, counts_from=0) as shard:
        for name in NAMES:
            shard.add_scores(name, [0], np.ones((1, *SIZE), np.float32))
    with pytest.raises(ValueError, match=r"results\.zip: holds CAMs.*needed are scores of labels"):
        written.evaluate("pseudo-low")
    assert not written.output.exists()
