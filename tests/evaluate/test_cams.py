"""The evaluation of CAMs: the curve and both rows, against predictions made one by one."""

import json
from pathlib import Path

import numpy as np
import pytest

from hfpl.images.palette import encode_mask
from hfpl.jobs.settings import Settings
from hfpl.stages.evaluate.cam_curve import CAM_THRESHOLDS
from hfpl.stages.evaluate.cams import evaluate_cams
from hfpl.stages.evaluate.table import BEST, FIXED
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.shards import write_shard

CLASSES = ("cat", "dog", "cow")
TAGS = {"t1": (0, 2), "t2": (1,), "t3": (), "v1": (2, 1), "v2": (0,)}
SPLITS = {"train": ("t1", "t2", "t3"), "val": ("v1", "v2")}
SIZE = (14, 11)


def truth_of(name: str) -> np.ndarray:
    rng = np.random.default_rng([1, *name.encode()])
    mask = np.zeros(SIZE, np.uint8)
    for label in TAGS[name]:
        y, x = rng.integers(0, 7, 2)
        mask[y : y + 7, x : x + 6] = label + 1
    mask[rng.random(SIZE) < 0.05] = 255
    return mask


def cams_of(name: str) -> np.ndarray:
    """Middles of steps of 1/200, so that storage changes nothing; many ties."""
    rng = np.random.default_rng([2, *name.encode()])
    steps = rng.integers(0, 26, (len(TAGS[name]), *SIZE)) * 5
    for channel, label in enumerate(TAGS[name]):
        steps[channel][truth_of(name) == label + 1] += 60
    return np.maximum(steps.astype(np.float32) - np.float32(0.5), 0) / np.float32(200)


class Written:
    """Files of both splits, a shard of manifests each, and CAMs in two shards."""

    def __init__(self, folder: Path) -> None:
        (folder / "m").mkdir()
        for name in TAGS:
            (folder / "m" / f"{name}.png").write_bytes(encode_mask(truth_of(name)))
        self.root = folder
        self.manifests, self.masks = [], []
        for split, names in SPLITS.items():
            records = tuple(ImageRecord(n, f"{n}.jpg", *SIZE, TAGS[n], "") for n in names)
            path, masks = folder / f"{split}.json", folder / f"{split}.masks.json"
            write_manifest(path, Manifest("pets", split, CLASSES, records))
            write_masks(masks, [MaskRecord(n, f"m/{n}.png", "") for n in names])
            self.manifests.append([path])
            self.masks.append([masks])
        self.cams = [folder / "0.zip", folder / "1.zip"]
        for path, names in zip(self.cams, (("t1", "v2"), ("t2", "t3", "v1")), strict=True):
            with write_shard(path, counts_from=0) as shard:
                for name in names:
                    shard.add_scores(name, TAGS[name], cams_of(name))
        self.output = folder / "cam.json"

    def evaluate(self, background_score: float = 0.25) -> dict:
        values = {
            "evaluate.background_score.seam": background_score,
            "chosen.variant.method": "seam",
            "evaluate.metrics": ["miou", "contour_f"],
        }
        (train, val), (train_masks, val_masks) = self.manifests, self.masks
        evaluate_cams(
            Settings(values, "evaluate_cams"),
            images=self.root,
            train_manifests=train,
            val_manifests=val,
            train_masks=train_masks,
            val_masks=val_masks,
            results=self.cams,
            out=self.output,
        )
        return json.loads(self.output.read_text())


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def plain_prediction(name: str, threshold: float) -> np.ndarray:
    """Background unless a class scores more; of equal classes the lower one."""
    found = np.zeros(SIZE, np.uint8)
    for y, x in np.ndindex(*SIZE):
        best = np.float32(threshold)
        scores = sorted(zip(TAGS[name], cams_of(name)[:, y, x], strict=True))
        for label, score in scores:
            if score > best:
                best, found[y, x] = score, label + 1
    return found


def plain_miou(names: tuple[str, ...], threshold: float) -> float:
    confusion = np.zeros((4, 4), int)
    for name in names:
        truth, found = truth_of(name), plain_prediction(name, threshold)
        for t, p in zip(truth.ravel(), found.ravel(), strict=True):
            if t != 255:
                confusion[t, p] += 1
    ious = [
        confusion[k, k] / (confusion[k].sum() + confusion[:, k].sum() - confusion[k, k] + 1e-10)
        for k in range(4)
    ]
    return 100 * float(np.mean(ious))


def test_the_curve_is_that_of_predictions_at_every_threshold(written):
    curve = written.evaluate()["curve"]
    assert curve["thresholds"] == [step / 100 for step in range(60)]
    assert list(curve["miou"]) == ["train", "val"]
    for split, names in SPLITS.items():
        assert len(curve["miou"][split]) == 60
        for k in range(0, 60, 3):
            expected = plain_miou(names, CAM_THRESHOLDS[k])
            assert curve["miou"][split][k] == pytest.approx(expected, abs=6e-5)


def test_each_split_has_a_row_at_the_fixed_and_one_at_the_best_threshold(written):
    content = written.evaluate(0.3)
    rows = content["rows"]
    assert [(r["split"], r["threshold_chosen"]) for r in rows] == [
        ("train", FIXED), ("train", BEST), ("val", FIXED), ("val", BEST),
    ]  # fmt: skip
    assert {(r["stage"], r["post_processing"]) for r in rows} == {("cam", "none")}
    assert [r["images"] for r in rows] == [3, 3, 2, 2]
    for row in rows:
        names, curve = SPLITS[row["split"]], content["curve"]["miou"][row["split"]]
        assert row["miou"] == pytest.approx(plain_miou(names, row["threshold"]), abs=6e-5)
        if row["threshold_chosen"] == FIXED:
            assert row["threshold"] == 0.3
        else:
            assert row["miou"] == max(curve)
            assert row["threshold"] == CAM_THRESHOLDS[curve.index(max(curve))]


def test_the_fixed_threshold_need_not_be_on_the_curve(written):
    row = written.evaluate(0.333)["rows"][2]
    assert row["threshold"] == 0.333
    assert row["miou"] == pytest.approx(plain_miou(SPLITS["val"], 0.333), abs=6e-5)


def test_a_second_run_writes_the_same_bytes(written):
    written.evaluate()
    first = written.output.read_bytes()
    written.cams.reverse()
    written.evaluate()
    assert written.output.read_bytes() == first


def test_missing_cams_are_named_and_nothing_is_written(written):
    written.cams = written.cams[:1]
    with pytest.raises(ValueError, match="no result for image 't2'"):
        written.evaluate()
    assert not written.output.exists()


def test_label_maps_in_place_of_cams_are_refused(written):
    with write_shard(written.cams[1]) as shard:
        for name in ("t2", "t3", "v1"):
            shard.add_mask(name, truth_of(name))
    with pytest.raises(ValueError, match=r"1\.zip.*t2"):
        written.evaluate()


def test_a_split_without_ground_truth_has_neither_rows_nor_curve(written):
    whole = written.evaluate()
    write_masks(written.masks[1][0], [])
    part = written.evaluate()
    assert part["rows"] == whole["rows"][:2]
    assert part["curve"]["miou"] == {"train": whole["curve"]["miou"]["train"]}
    write_masks(written.masks[0][0], [])
    assert written.evaluate() == {
        "rows": [],
        "curve": {"thresholds": list(CAM_THRESHOLDS), "miou": {}},
    }


def test_refined_scores_in_place_of_cams_are_refused(written):
    with write_shard(written.cams[1], counts_from=1) as shard:
        for name in ("t2", "t3", "v1"):
            shard.add_scores(name, TAGS[name], cams_of(name))
    with pytest.raises(ValueError, match=r"1\.zip: holds scores of labels.*needed are CAMs"):
        written.evaluate()
    assert not written.output.exists()
