"""Scores of a split against plain loops over its pixels."""

import math
from pathlib import Path

import numpy as np
import pytest

from hfpl.images.palette import encode_mask
from hfpl.stages.evaluate.score import (
    percent,
    read_split,
    score_predictions,
    scores_of,
    table_row,
)
from hfpl.stages.evaluate.table import BEST, NONE
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.reading import ImageRoot

METRICS = ("miou", "contour_f")
CLASSES = ("cat", "dog", "cow")
SIZES = {"a": (9, 12), "b": (12, 9), "c": (7, 7), "d": (10, 10), "e": (8, 11)}
SCORED = ("a", "b", "d", "e")


def blobs(name: str, salt: int) -> np.ndarray:
    """Label map of a few rectangles, so that there are contours."""
    rng = np.random.default_rng([salt, *name.encode()])
    height, width = SIZES[name]
    mask = np.zeros((height, width), np.uint8)
    for label in rng.integers(0, 4, 4):
        y, x = rng.integers(0, height - 2), rng.integers(0, width - 2)
        mask[y : y + rng.integers(2, 6), x : x + rng.integers(2, 6)] = label
    return mask


def truth_of(name: str) -> np.ndarray:
    mask = blobs(name, 1)
    mask[np.random.default_rng([9, *name.encode()]).random(mask.shape) < 0.1] = 255
    return mask


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path], ImageRoot]:
    """Manifests and mask manifests of two shards; image c has no ground truth."""
    (tmp_path / "m").mkdir()
    for name in SCORED:
        (tmp_path / "m" / f"{name}.png").write_bytes(encode_mask(truth_of(name)))
    manifests, masks = [], []
    for k, names in enumerate((["d", "a", "c"], ["e", "b"])):
        records = tuple(ImageRecord(n, f"i/{n}.jpg", *SIZES[n], (), "") for n in names)
        manifests.append(tmp_path / f"{k}.json")
        masks.append(tmp_path / f"{k}.masks.json")
        write_manifest(manifests[-1], Manifest("pets", "val", CLASSES, records))
        write_masks(masks[-1], [MaskRecord(n, f"m/{n}.png", "") for n in names if n in SCORED])
    return manifests, masks, ImageRoot(tmp_path)


def boundary(mask: np.ndarray) -> list[tuple[int, int]]:
    found = []
    for y, x in np.ndindex(mask.shape):
        for dy, dx in ((0, 1), (1, 0), (1, 1)):
            inside = y + dy < mask.shape[0] and x + dx < mask.shape[1]
            if inside and mask[y, x] != mask[y + dy, x + dx]:
                found.append((y, x))
                break
    return found


def matches(some: list, others: list, radius: int) -> int:
    return sum(any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in some)


def plain_scores(pairs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, object]:
    """Every figure of score_predictions, pixel by pixel and contour point by contour point."""
    iou, precision, recall, f = [], [], [], []
    for label in range(len(CLASSES) + 1):
        hits = union = 0
        counts = [0, 0, 0, 0]
        for truth, found in pairs:
            for t, p in zip(truth.ravel().tolist(), found.ravel().tolist(), strict=True):
                if t != 255:
                    hits += t == p == label
                    union += label in (t, p)
            radius = math.ceil(0.008 * math.hypot(*truth.shape))
            true_line, found_line = boundary(truth == label), boundary(found == label)
            counts[0] += matches(true_line, found_line, radius)
            counts[1] += matches(found_line, true_line, radius)
            counts[2] += len(true_line)
            counts[3] += len(found_line)
        iou.append(hits / (union + 1e-10))
        precision.append(counts[1] / counts[3] if counts[3] else 1.0)
        recall.append(counts[0] / counts[2] if counts[2] else 1.0)
        both = precision[-1] + recall[-1]
        f.append(2 * precision[-1] * recall[-1] / both if both else 0.0)
    return {
        "images": len(pairs),
        "unseen_classes": sum(
            not any((truth == label).any() for truth, _ in pairs)
            for label in range(1, len(CLASSES) + 1)
        ),
        "miou": 100 * np.mean(iou),
        "contour_f": 100 * np.mean(f[1:]),
        "contour_precision": 100 * np.mean(precision[1:]),
        "contour_recall": 100 * np.mean(recall[1:]),
        "iou": {n: 100 * v for n, v in zip(("background", *CLASSES), iou, strict=True)},
        "contour_f_per_class": {n: 100 * v for n, v in zip(CLASSES, f[1:], strict=True)},
    }


def assert_scores(found: dict, expected: dict) -> None:
    assert found.keys() == {*expected, "counts"}
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=6e-5), key


def test_only_images_with_a_ground_truth_are_scored(files):
    split = read_split(*files)
    assert (split.split, split.classes, split.num_classes) == ("val", CLASSES, 4)
    assert [record.id for record, _ in split.pairs()] == list(SCORED)
    assert all(np.array_equal(truth, truth_of(record.id)) for record, truth in split.pairs())


def test_scores_are_those_of_plain_loops(files):
    split = read_split(*files)
    found = score_predictions(split, lambda record: blobs(record.id, 2), METRICS)
    expected = plain_scores([(truth_of(name), blobs(name, 2)) for name in SCORED])
    assert 0 < expected["miou"] < 100
    assert 0 < expected["contour_f"] < 100
    assert_scores(found, expected)


def test_a_perfect_prediction_has_full_marks(files):
    split = read_split(*files)
    found = score_predictions(
        split,
        lambda record: np.where(truth_of(record.id) == 255, 0, truth_of(record.id)).astype(
            np.uint8
        ),
        METRICS,
    )
    present = {label for name in SCORED for label in np.unique(truth_of(name)).tolist()}
    assert {0, 1, 2, 3} <= present
    assert found["miou"] == found["contour_f"] == 100.0
    assert found["contour_precision"] == found["contour_recall"] == 100.0


def test_background_alone_scores_its_own_share(files):
    split = read_split(*files)
    nothing = {name: np.zeros(SIZES[name], np.uint8) for name in SCORED}
    found = score_predictions(split, lambda record: nothing[record.id], METRICS)
    assert_scores(found, plain_scores([(truth_of(name), nothing[name]) for name in SCORED]))
    assert found["iou"]["cat"] == 0.0
    assert found["contour_recall"] == 0.0
    assert found["contour_precision"] == 100.0


def test_predictions_are_asked_for_once_each_in_order(files):
    asked = []

    def predict(record: ImageRecord) -> np.ndarray:
        asked.append(record.id)
        return blobs(record.id, 2)

    score_predictions(read_split(*files), predict, METRICS)
    assert asked == list(SCORED)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((3, 3), np.uint8), np.full(SIZES["b"], 9, np.uint8), np.zeros(SIZES["b"], float)],
    ids=["size", "label", "type"],
)
def test_a_wrong_prediction_is_named_by_its_image(files, wrong):
    split = read_split(*files)
    with pytest.raises(ValueError, match=r"\bb\b.*(shape|outside|integer)"):
        score_predictions(split, lambda r: wrong if r.id == "b" else blobs(r.id, 2), METRICS)


def test_a_ground_truth_with_unknown_labels_is_named(files, tmp_path):
    (tmp_path / "m" / "d.png").write_bytes(encode_mask(np.full(SIZES["d"], 7, np.uint8)))
    with pytest.raises(ValueError, match=r"\bd\b.*7"):
        score_predictions(read_split(*files), lambda record: blobs(record.id, 2), METRICS)


def test_a_split_without_ground_truth_cannot_be_scored(files, tmp_path):
    manifests, masks, root = files
    for path in masks:
        write_masks(path, [])
    # Without a pixel to score, contours of nothing would count as perfect.
    with pytest.raises(ValueError, match="val"):
        score_predictions(
            read_split(manifests, masks, root), lambda record: blobs(record.id, 2), METRICS
        )


def test_percent_keeps_four_decimals():
    assert percent(0.123456789) == 12.3457
    assert percent(np.float64(1)) == 100.0
    assert type(percent(np.float32(0.5))) is float


def test_a_row_says_what_was_scored(files):
    split = read_split(*files)
    row = table_row("cam", "none", split, {"images": 4, "miou": 1.0}, 0.25, BEST)
    assert row == {
        "split": "val", "stage": "cam", "post_processing": "none", "threshold": 0.25,
        "threshold_chosen": BEST, "images": 4, "miou": 1.0,
    }  # fmt: skip
    row = table_row("walk", "CRF", split, {})
    assert (row["threshold"], row["threshold_chosen"]) == (None, NONE)


def test_the_counts_of_a_split_are_kept(files):
    split = read_split(*files)
    found = score_predictions(split, lambda record: blobs(record.id, 2), METRICS)
    counts = found["counts"]
    assert list(counts) == list(METRICS)
    pixels = sum((truth_of(name) != 255).sum() for name in SCORED)
    assert np.sum(counts["miou"]) == pixels
    assert np.shape(counts["contour_f"]) == (len(CLASSES), 4)
    assert {k: found[k] for k in found if k not in ("images", "unseen_classes", "counts")} == (
        scores_of(counts, CLASSES, np.ones(len(CLASSES) + 1, bool))
    )
