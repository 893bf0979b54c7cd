"""COCO in the split of 2014 from its archives."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.coco2014 import Coco2014Format
from hfpl.plugins.formats.coco2014.convert import convert
from hfpl.plugins.formats.indexing import write_index
from hfpl.plugins.formats.mask_files import listed_masks, write_mask_manifests
from hfpl.storage.manifest import read_manifests, read_masks
from hfpl.storage.reading import ImageRoot

TRAIN, VAL = [9, 25, 30, 34, 36, 42, 49, 61], [73, 74, 133, 136]
H, W = 48, 64


@pytest.fixture(scope="module")
def archives(tmp_path_factory, coco_archives) -> dict[str, Path]:
    return coco_archives(tmp_path_factory.mktemp("coco"))


@pytest.fixture(scope="module")
def converted(archives, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "coco2014.zip"
    assert convert(archives, path) == {"train": 8, "val": 4}
    return path


def index(path: Path, folder: Path) -> tuple:
    """Manifests of training and val, and the masks of both as one."""
    files = {s: [folder / f"{s}.json"] for s in ("train", "val")}
    masks = {s: [folder / f"{s}.masks.json"] for s in files}
    root, lists = ImageRoot(path), Coco2014Format.published_lists
    write_index("coco2014", root, lists, files)
    write_mask_manifests(root, listed_masks(root, lists, files), files, masks)
    truths = read_masks(masks["train"]) | read_masks(masks["val"])
    return *(read_manifests(f) for f in files.values()), truths


def expected_mask(number: int) -> np.ndarray:
    """What the miniature's annotations say, drawn by loops."""
    mask = np.zeros((H, W), int)
    place = (TRAIN + VAL).index(number)
    mask[5:40, 4:31] = 1
    for y in range(10, 41):
        left, right = 20, 50 - (y - 10)  # the triangle (20, 10), (50, 10), (20, 40)
        mask[y, left : right + 1] = {0: 17, 1: 80, 2: 12}[place % 3]
    if number == 36:
        for run in range(480, 960):
            mask[run % H, run // H] = 40
    return mask


def test_the_split_is_that_of_2014(converted, tmp_path):
    train, val, truths = index(converted, tmp_path)
    assert [i.id for i in train.images] == [f"{n:012d}" for n in TRAIN]
    assert [i.id for i in val.images] == [f"{n:012d}" for n in VAL]
    assert sorted(truths) == [f"{n:012d}" for n in TRAIN + VAL]


def test_there_are_eighty_classes_in_the_order_of_their_ids(converted):
    classes = voc.read_classes(ImageRoot(converted))
    assert len(classes) == 80
    found = [classes[k] for k in (0, 9, 11, 16, 39, 79)]
    assert found == ["person", "traffic light", "stop sign", "dog", "bottle", "toothbrush"]


def test_masks_and_tags_are_those_of_the_annotations(converted, tmp_path):
    train, val, truths = index(converted, tmp_path)
    root = ImageRoot(converted)
    for image in (*train.images, *val.images):
        number = int(image.id)
        expected = np.zeros((H, W)) if number == 34 else expected_mask(number)
        mask = root.mask(truths[image.id])
        np.testing.assert_array_equal(mask, expected)
        assert image.tags == tuple(int(k) - 1 for k in np.unique(mask) if k)
        assert root.image(image).size == (W, H)


def test_images_are_stored_as_published(converted, archives):
    with zipfile.ZipFile(converted) as archive:
        found = {n: archive.read(n) for n in archive.namelist() if n.startswith("JPEGImages/")}
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}
    expected = {}
    for split in ("train", "val"):
        with zipfile.ZipFile(archives[f"{split}_images"]) as archive:
            for name in archive.namelist():
                expected[f"JPEGImages/{name.split('/')[1]}"] = archive.read(name)
    del expected["JPEGImages/000000000139.jpg"]  # in no list of 2014
    assert found == expected


def test_equal_archives_give_equal_bytes(converted, archives, tmp_path):
    convert(archives, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == converted.read_bytes()


def changed(archives: dict[str, Path], source: str, folder: Path, change) -> dict[str, Path]:
    """The archives with one rewritten: ``change`` takes and returns its files by name."""
    with zipfile.ZipFile(archives[source]) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    path = folder / f"{source}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in change(files).items():
            archive.writestr(name, content)
    return {**archives, source: path}


def edited(name: str, change):
    """A change of one JSON file."""

    def apply(files: dict[str, bytes]) -> dict[str, bytes]:
        content = json.loads(files[name])
        change(content)
        return {**files, name: json.dumps(content).encode()}

    return apply


T17, V17 = "annotations/instances_train2017.json", "annotations/instances_val2017.json"
T14 = "annotations/instances_train2014.json"


@pytest.mark.parametrize(
    ("source", "change", "message"),
    [
        ("train_images", lambda f: {k: v for k, v in f.items() if "000000000009" not in k},
         r"image 000000000009\.jpg is in neither"),
        ("instances_2014", lambda f: {T14: f[T14]}, "no file 'annotations/instances_val2014.json'"),
        ("instances_2014", edited(T14, lambda c: c["images"].append({"id": 7})),
         "image 7 of the 2014 split is not in it"),
        ("instances_2017", edited(V17, lambda c: c["categories"][3].update(name="moped")),
         "instances_val2017.json: other categories than in train"),
        ("instances_2017", edited(T17, lambda c: c["annotations"][0].pop("category_id")),
         r"instances_train2017\.json: not an annotation .* of image .*: KeyError 'category_id'"),
        ("instances_2017",
         edited(T17, lambda c: c["annotations"][0].update(segmentation={"size": [H, W]})),
         "annotation .* of image 9: the runs of a region are not a list of whole numbers"),
        ("instances_2017", edited(T17, lambda c: c["annotations"][0].pop("segmentation")),
         "annotation .* of image 9: has no segmentation, which its mask is drawn from"),
        ("instances_2017", edited(T17, lambda c: c["annotations"][0].update(segmentation=None)),
         "annotation .* of image 9: has no segmentation"),
        ("instances_2017", edited(T17, lambda c: c["annotations"][0].update(
            segmentation={"size": [H, W], "counts": "abc"})),
         "annotation .* of image 9: the compressed runs of a region end in the middle"),
        ("instances_2017", edited(T17, lambda c: c["annotations"][0].update(
            segmentation={"size": [H, W], "counts": [1]})),
         "image 000000000009: the runs of a region add up to 1 pixels"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_written(archives, tmp_path, source, change, message):
    given = changed(archives, source, tmp_path, change)
    path = tmp_path / "out" / "coco2014.zip"
    with pytest.raises(ValueError, match=message):
        convert(given, path)
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


def test_real_images(coco_mini, tmp_path):
    """Every second image lies in the other folder; crowds and images without objects included."""
    contents = {
        s: json.loads((coco_mini / f"annotations/instances_{s}.json").read_text())
        for s in ("train", "val")
    }
    archives = real_archives(coco_mini, contents, tmp_path)
    path = tmp_path / "coco2014.zip"
    assert convert(archives, path) == {s: len(c["images"]) for s, c in contents.items()}
    train, val, truths = index(path, tmp_path)
    root = ImageRoot(path)
    listed = {i["id"]: i for c in contents.values() for i in c["images"]}
    labels = {c["id"]: k for k, c in enumerate(sorted_categories(contents["train"]), start=1)}
    assert voc.read_classes(root) == tuple(c["name"] for c in sorted_categories(contents["val"]))
    crowds, empty, shares = 0, 0, []
    for image in (*train.images, *val.images):
        mask = root.mask(truths[image.id])
        record = listed[int(image.id)]
        assert mask.shape == (record["height"], record["width"]) == (image.height, image.width)
        assert image.tags == tuple(int(k) - 1 for k in np.unique(mask) if k)
        found = [
            a for c in contents.values() for a in c["annotations"] if a["image_id"] == record["id"]
        ]
        empty += not found and not mask.any()
        crowd = any(a["iscrowd"] for a in found)
        crowds += crowd
        if crowd or image.id.endswith("9"):  # a part: the plain rasteriser takes its time
            expected, open_ = plain_mask(found, mask.shape, labels)
            np.testing.assert_array_equal(mask[~open_], expected[~open_])
            shares.append((~open_).mean())
    assert crowds >= 1
    assert empty >= 1
    assert len(shares) > crowds
    assert np.mean(shares) > 0.8  # of the pixels are compared


def sorted_categories(content: dict) -> list[dict]:
    return sorted(content["categories"], key=lambda c: c["id"])


def real_archives(folder: Path, contents: dict, target: Path) -> dict[str, Path]:
    paths = {s: target / f"{s}.zip" for s in ("train_images", "val_images")}
    for number, (stored, path) in enumerate(paths.items()):
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((folder / "images").iterdir())[number::2]:
                archive.write(file, f"{stored.removesuffix('_images')}2017/{file.name}")
    for year in ("2014", "2017"):
        paths[f"instances_{year}"] = target / f"{year}.zip"
        with zipfile.ZipFile(target / f"{year}.zip", "w") as archive:
            for split, content in contents.items():
                name = f"annotations/instances_{split}{year}.json"
                archive.writestr(name, json.dumps(content))
    return paths


def plain_mask(annotations: list, shape: tuple, labels: dict) -> tuple[np.ndarray, np.ndarray]:
    """Label map by the even-odd rule, and where rasterisers may differ: near an edge."""
    mask, near = np.zeros(shape, int), np.zeros(shape, bool)
    for annotation in annotations:
        label = labels[annotation["category_id"]]
        if annotation["iscrowd"]:
            counts = annotation["segmentation"]["counts"]
            flat = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
            region = flat.reshape(shape[::-1]).T
            mask[region], near[region] = label, False
            continue
        inside, edge = np.zeros(shape, bool), np.zeros(shape, bool)
        for polygon in annotation["segmentation"]:
            add_polygon(np.trunc(np.array(polygon)).reshape(-1, 2), inside, edge)
        mask[inside] = label
        near = (near & ~(inside & ~edge)) | edge
    return mask, near


def add_polygon(vertices: np.ndarray, inside: np.ndarray, edge: np.ndarray) -> None:
    """Mark what is inside, and what is within one pixel of the outline."""
    h, w = inside.shape
    x0, y0 = np.maximum(vertices.min(0).astype(int) - 2, 0)
    x1, y1 = np.minimum(vertices.max(0).astype(int) + 3, (w, h))
    y, x = np.mgrid[y0:y1, x0:x1]
    odd, close = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(vertices, np.roll(vertices, -1, 0), strict=True):
        if ay != by:
            odd ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / max(length, 1), 0, 1)
        close |= np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= 1
    inside[y0:y1, x0:x1] |= odd
    edge[y0:y1, x0:x1] |= close
