"""Results for other tools, read back by readers that are not the project's."""

import contextlib
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from ruamel.yaml import YAML

from hfpl.cli import main
from hfpl.exports.label_studio import packed_brush
from hfpl.images.regions import outlines
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import write_shard

CLASSES = ("dog", 'big <cat> & "co"')
FILES = {"a": "images/a.jpg", "ü b": "images/day 1/ü b.png", "c": "images/c.png"}
H, W = 30, 40


def labels_of(name: str) -> np.ndarray:
    """Blobs of both classes, with holes."""
    noise = np.random.default_rng(len(name)).normal(size=(H, W)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    mask = np.digitize(smooth, [0.02, 0.08]).astype(np.uint8)
    mask[(smooth < -0.1)] = 1
    return mask


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Results of a run: two shards and their manifests; the photographs are twice as large."""
    place = tmp_path / "results" / "pets"
    for split, names in {"train": ["a"], "val": ["ü b", "c"]}.items():
        records = tuple(ImageRecord(n, FILES[n], H, W, (0,), "") for n in sorted(names))
        write_manifest(
            place / "data" / f"{split}-0.json", Manifest("pets", split, CLASSES, records)
        )
        with write_shard(place / "seam" / "segment" / f"{split}-0.crf.zip", CLASSES) as shard:
            for name in names:
                shard.add_mask(name, labels_of(name))
    for file in FILES.values():
        path = tmp_path / "photos" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2 * W, 2 * H)).save(path)
    return tmp_path


def export(run: Path, kind: str, *more: str) -> Path:
    out = run / "out"
    shards = sorted((run / "results").rglob("*.crf.zip"))
    line = ["export", *map(str, shards), "--out", str(out), "--format", kind, *more]
    assert main(line) == 0
    return out


def own(name: str, scale: int = 1) -> np.ndarray:
    return labels_of(name).repeat(scale, 0).repeat(scale, 1)


@pytest.mark.parametrize("scale", [1, 2])
def test_coco_is_read_by_pycocotools_and_scores_1_against_itself(run, scale):
    more = ["--photographs", str(run / "photos")] if scale == 2 else []
    out = export(run, "coco", *more)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(out / "instances_val.json"))
        assert {c["id"]: c["name"] for c in truth.loadCats(truth.getCatIds())} == {
            1: CLASSES[0],
            2: CLASSES[1],
        }
        names = {i["file_name"]: i["id"] for i in truth.loadImgs(truth.getImgIds())}
        assert set(names) == {FILES["ü b"], FILES["c"]}
        for name in ("ü b", "c"):
            mask = np.zeros((scale * H, scale * W), np.uint8)
            for one in truth.loadAnns(truth.getAnnIds(names[FILES[name]])):
                mask[truth.annToMask(one) > 0] = one["category_id"]
                assert one["area"] == (own(name, scale) == one["category_id"]).sum()
            np.testing.assert_array_equal(mask, own(name, scale))
        found = [{**one, "score": 1.0} for one in truth.dataset["annotations"]]
        scores = COCOeval(truth, truth.loadRes(found), "segm")
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
    assert scores.stats[0] == pytest.approx(1.0)
    train = json.loads((out / "instances_train.json").read_text())
    assert [image["file_name"] for image in train["images"]] == [FILES["a"]]


def test_yolo(run):
    out = export(run, "yolo", "--photographs", str(run / "photos"))
    content = YAML(typ="safe").load((out / "data.yaml").read_text())
    assert content["names"] == dict(enumerate(CLASSES))
    assert (content["train"], content["val"]) == ("images/train", "images/val")
    for split, stem, ending, name in (
        ("train", "a", ".jpg", "a"),
        ("val", "day 1-ü b", ".png", "ü b"),
        ("val", "c", ".png", "c"),
    ):
        assert Image.open(out / "images" / split / f"{stem}{ending}").size == (2 * W, 2 * H)
        mask = np.zeros((2 * H, 2 * W), np.uint8)
        for line in (out / "labels" / split / f"{stem}.txt").read_text().splitlines():
            label, *numbers = line.split()
            points = np.array(numbers, float).reshape(-1, 2) * [2 * W, 2 * H]
            cv2.fillPoly(mask, [points.astype(np.int32)], int(label) + 1)
        # A later class's outline may lie inside a hole's edge of an earlier one.
        np.testing.assert_array_equal(mask, own(name, 2))


def holes(shape: tuple[int, int], *places: tuple[int, int]) -> np.ndarray:
    mask = np.ones(shape, bool)
    for place in places:
        mask[place] = False
    return mask


@settings(deadline=None)
# The line from the corner to the second hole would lead over the first.
@example(mask=holes((7, 8), (1, 1), (3, 2)))
@given(mask=arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 12))))
def test_outlines_fill_the_map_that_they_are_of(mask):
    drawn = np.zeros(mask.shape, np.uint8)
    for outline in outlines(mask):
        cv2.fillPoly(drawn, [outline], 1)
    np.testing.assert_array_equal(drawn > 0, mask)


def unpacked(rle: list[int]) -> np.ndarray:
    """Plain reading of a brush: the published unpacking, bit by bit."""
    text = "".join(f"{byte:08b}" for byte in rle)
    place = 0

    def take(width: int) -> int:
        nonlocal place
        place += width
        return int(text[place - width : place], 2)

    count, word = take(32), take(5) + 1
    widths = [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < count:
        repeated, number = take(1), take(widths[take(2)]) + 1
        out += [take(word)] * number if repeated else [take(word) for _ in range(number)]
    return np.array(out, np.uint8)


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 12))))
def test_brushes_are_unpacked_as_they_were_packed(mask):
    expected = np.repeat(mask[..., None] * np.uint8(255), 4, 2).ravel()
    np.testing.assert_array_equal(unpacked(packed_brush(mask)), expected)


def test_long_runs_of_a_brush():
    mask = np.zeros((300, 200), bool)
    mask[150:] = True
    expected = np.repeat(mask[..., None] * np.uint8(255), 4, 2).ravel()
    np.testing.assert_array_equal(unpacked(packed_brush(mask)), expected)


def test_label_studio(run):
    out = export(run, "labelstudio", "--address", "https://host/")
    config = ElementTree.parse(out / "label_config.xml")
    assert [label.get("value") for label in config.iter("Label")] == [*CLASSES]
    tasks = {t["data"]["image"]: t for t in json.loads((out / "tasks.json").read_text())}
    assert set(tasks) == {
        "https://host/images/a.jpg", "https://host/images/day%201/%C3%BC%20b.png",
        "https://host/images/c.png",
    }  # fmt: skip
    mask = np.zeros((H, W), np.uint8)
    for result in tasks["https://host/images/c.png"]["predictions"][0]["result"]:
        assert (result["original_height"], result["original_width"]) == (H, W)
        assert result["from_name"] == config.find("BrushLabels").get("name")
        opacity = unpacked(result["value"]["rle"]).reshape(H, W, 4)[..., 3]
        mask[opacity > 0] = CLASSES.index(result["value"]["brushlabels"][0]) + 1
    np.testing.assert_array_equal(mask, own("c"))


def test_cvat(run):
    tree = ElementTree.parse(export(run, "cvat") / "annotations.xml")
    assert [e.text for e in tree.iterfind("meta/task/labels/label/name")] == [*CLASSES]
    images = {image.get("name"): image for image in tree.iterfind("image")}
    assert set(images) == {"a.jpg", "day 1/ü b.png", "c.png"}
    for name, image in (("a", images["a.jpg"]), ("ü b", images["day 1/ü b.png"])):
        mask = np.zeros((H, W), np.uint8)
        for one in image.iterfind("mask"):
            left, top, width, height = (int(one.get(k)) for k in ("left", "top", "width", "height"))
            row = []
            for place, count in enumerate(one.get("rle").split(",")):
                row += [place % 2] * int(count)
            inside = np.array(row).reshape(height, width) > 0
            mask[top : top + height, left : left + width][inside] = (
                CLASSES.index(one.get("label")) + 1
            )
        np.testing.assert_array_equal(mask, own(name))


def test_what_is_exported_is_read_as_a_folder_of_ones_own(run):
    """COCO and CVAT beside the photographs: the tags are the classes that were found."""
    from hfpl.plugins.formats.folder import FolderFormat, Settings
    from hfpl.storage.manifest import read_manifests

    for kind, file in (("coco", "instances_val.json"), ("cvat", "annotations.xml")):
        target = run / "photos" / file
        target.write_bytes((export(run, kind) / file).read_bytes())
        values = {"format": "folder", "root": f"{run}/photos", "max_side": 500, "val_share": 0.5}
        files = {split: [run / f"{split}.json"] for split in ("train", "val")}
        if kind == "coco":  # of one split alone
            values["val_share"] = 0.5
            text = target.read_text()
            target.unlink()
            target = run / "photos" / "labels.json"
            target.write_text(text)
        FolderFormat(Settings(**values)).index("pets", run / "photos", files)
        found = {i.id: i for f in files.values() for i in read_manifests(f).images}
        order = read_manifests(files["train"]).classes
        assert {order[k] for k in found["c"].tags} == {
            CLASSES[k - 1] for k in np.unique(labels_of("c")) if k
        }
        target.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run / "results/pets/data/val-0.json").unlink(), "say with --manifests which"),
        (lambda run: (run / "results/pets/seam/segment/val-1.crf.zip").write_bytes(
            (run / "results/pets/seam/segment/val-0.crf.zip").read_bytes()), "no manifest at"),
        (lambda run: (run / "photos/images/c.png").write_bytes(b"x"), "images/c.png: not readable"),
        (lambda run: (run / "photos/images/c.png").unlink(), "images/c.png: cannot be read"),
    ],
)  # fmt: skip
def test_what_is_missing_is_one_line_and_nothing_is_written(run, capsys, spoil, message):
    spoil(run)
    shards = map(str, sorted((run / "results").rglob("*.zip")))
    line = ["export", *shards, "--out", str(run / "out"), "--format", "coco"]
    assert main([*line, "--photographs", str(run / "photos")]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not (run / "out").exists()


def test_two_states_of_a_photograph_are_one_too_many(run, capsys):
    plain = run / "results/pets/seam/segment/val-0.plain.zip"
    plain.write_bytes((plain.parent / "val-0.crf.zip").read_bytes())
    shards = map(str, sorted((run / "results").rglob("val-0.*.zip")))
    assert main(["export", *shards, "--out", str(run / "out"), "--format", "cvat"]) == 1
    assert "both hold 'ü b'" in capsys.readouterr().err
