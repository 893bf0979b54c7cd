"""Folders of photographs in every layout that people have: what is read, and what is said."""

import io
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from hfpl.plugins.formats.folder import FolderFormat, Settings
from hfpl.plugins.formats.folder.label_studio import brush_mask
from hfpl.storage.manifest import read_manifests, read_masks
from hfpl.storage.reading import ImageRoot

H, W = 12, 16


def picture(seed: int, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (H, W, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def lay(root: Path, *names: str) -> None:
    """Photographs of these names, each another one."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(zlib.crc32(name.encode())))


class Found:
    """What is indexed of a folder."""

    def __init__(self, root: Path) -> None:
        values = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.3}
        self.format = FolderFormat(Settings(**values))
        out = root.parent / "out"
        self.files = {split: [out / f"{split}-0.json"] for split in ("train", "val")}
        self.mask_files = {split: [out / f"{split}-0.masks.json"] for split in ("train", "val")}
        self.root = root
        self.line = self.format.index("pets", root, self.files)
        self.wholes = {split: read_manifests(files) for split, files in self.files.items()}
        self.images = {i.id: i for whole in self.wholes.values() for i in whole.images}
        self.classes = self.wholes["train"].classes

    def tags(self) -> dict[str, set[str]]:
        return {i.file: {self.classes[k] for k in i.tags} for i in self.images.values()}

    def split(self, split: str) -> set[str]:
        return {image.file for image in self.wholes[split].images}

    def masks(self) -> tuple[str, dict[str, np.ndarray]]:
        line = self.format.masks(self.root, self.files, self.mask_files)
        root, found = ImageRoot(self.root), {}
        for file in self.mask_files.values():
            for image_id, record in read_masks(file).items():
                found[image_id] = root.mask(record)
        return line, found


def complaint(root: Path) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        Found(root).masks()
    assert str(caught.value).isprintable()
    assert not list((root.parent / "out").glob("*.masks.json"))
    return str(caught.value).removeprefix(str(root)).lstrip("/: ")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "photos"


# A folder per class


def test_a_folder_per_class(root):
    lay(root, "dog/a.png", "dog/trip to sea/b.png", "cat/a.png", "big cat/ü#1 %20.png")
    found = Found(root)
    assert found.line.startswith("a folder per class: ")
    assert found.classes == ("big cat", "cat", "dog")
    assert found.tags() == {
        "dog/a.png": {"dog"},
        "dog/trip to sea/b.png": {"dog"},
        "cat/a.png": {"cat"},
        "big cat/ü#1 %20.png": {"big cat"},
    }
    # Names without ending where they are unique, else with the folder.
    assert set(found.images) == {"dog-a", "cat-a", "b", "ü#1 %20"}


@pytest.mark.parametrize("top", ["", "images/"])
def test_a_folder_per_class_in_folders_of_splits(root, top):
    names = ["train/dog/a.png", "train/cat/b.png", "Validation/dog/c.png"]
    lay(root, *(top + name for name in [*names, "test/dog/d.png"]))
    found = Found(root)
    assert found.split("train") == {top + name for name in names[:2]}
    assert found.split("val") == {top + names[2]}
    assert found.classes == ("cat", "dog")
    assert "1 photographs in test are not used" in found.line
    assert "without a row" not in found.line


def test_a_class_may_be_called_train(root):
    lay(root, "train/a.png", "bus/b.png", "bus/c.png")
    assert Found(root).classes == ("bus", "train")


def test_the_same_photograph_in_two_folders_has_both_tags(root):
    lay(root, "dog/a.png", "cat/b.png", "cat/c.png")
    (root / "cat" / "other name.png").write_bytes((root / "dog" / "a.png").read_bytes())
    found = Found(root)
    assert found.tags()["cat/other name.png"] == {"dog", "cat"}
    assert len(found.images) == 3
    assert "1 copies in other folders add their tags" in found.line
    assert "without a row" not in found.line


def test_masks_lie_by_name_or_by_place(root):
    lay(root, "dog/a.png", "cat/a.png", "cat/b.png")
    for name in ("masks/dog/a.png", "masks/cat-a.png", "masks/b.png", "masks/c.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        label = 2 if "dog" in name else 1
        Image.fromarray(np.full((H, W), label, np.uint8)).save(root / name)
    found = Found(root)
    line, masks = found.masks()
    assert {name: set(np.unique(mask)) for name, mask in masks.items()} == {
        "dog-a": {2}, "cat-a": {1}, "b": {1},
    }  # fmt: skip
    assert line.startswith("3 masks indexed; 1 files in masks are not")


@pytest.mark.parametrize(
    ("names", "folders", "message"),
    [
        (["dog/a.png", "b.png"], [], "'b.png' lies in no class's folder; "),
        (["train/a.png", "train/dog/b.png", "val/dog/c.png"], [], ""),
        (["dog/a.png", "cat/b.png"], ["cow"],
         "'cow' is a class's folder without photographs; put some there, or remove it"),
        (["train/dog/a.png", "val/dog/b.png"], ["val/cow"], "'val/cow' is a class's folder"),
        (["dog/a.png", "Dog/b.png"], [], "folders 'Dog' and 'dog' differ in capitals, width or"),
        (["big dog/a.png", "big  dog/b.png"], [], "folders 'big  dog' and 'big dog' differ in"),
        (["train/dog/a.png", "val/Dog/b.png"], [], "folders 'dog' and 'Dog' differ in capitals"),
        (["dog/a.png", "background/b.png"], [],
         "folder 'background': class 'background' is no class"),
        (["dog/a.png", "dog/a.jpg", "cat/b.png"], [],
         "'dog/a.jpg' and 'dog/a.png' differ in their endings alone"),
        (["dog/a.png"], [], ".: expected at least two photographs"),
        ([], ["masks"], "neither a list of tags (labels.csv, metadata.csv, a JSON of COCO or "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_folders_of_classes_is_one_line(root, names, folders, message):
    root.mkdir()
    lay(root, *names)
    for folder in folders:
        (root / folder).mkdir(parents=True)
    if message:
        assert complaint(root).startswith(message)
    else:
        assert Found(root).classes == ("train", "val")


# Hugging Face's imagefolder


def test_metadata_as_a_table(root):
    lay(root, "a.png", "more/b.png", "c.png", "d.png")
    (root / "metadata.csv").write_text(
        'file_name,label\na.png,dog\nmore/b.png,"[""dog"", ""big cat""]"\n'
        "c.png,\"['cow']\"\nd.png,[]\n"
    )
    found = Found(root)
    assert found.line.startswith("Hugging Face's imagefolder: ")
    assert found.tags() == {
        "a.png": {"dog"}, "more/b.png": {"dog", "big cat"}, "c.png": {"cow"}, "d.png": set(),
    }  # fmt: skip


def test_metadata_as_lines_in_folders_of_splits(root):
    lay(root, "train/a.png", "train/b.png", "validation/a.png", "test/a.png")
    for split, lines in {
        "train": [("a.png", "dog"), ("b.png", ["dog", "cat"])],
        "validation": [("a.png", None)],
        "test": [("a.png", "dog")],
    }.items():
        text = [json.dumps({"file_name": n, "labels": tags, "x": 1}) + "\n" for n, tags in lines]
        (root / split / "metadata.jsonl").write_text("\n".join(text))
    found = Found(root)
    assert found.tags() == {
        "train/a.png": {"dog"}, "train/b.png": {"dog", "cat"}, "validation/a.png": set(),
    }  # fmt: skip
    assert found.split("val") == {"validation/a.png"}
    assert "test/metadata.jsonl is not used" in found.line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"file_name": "x.png", "label": "dog"}', "line 3: 'x.png' is not in the folder"),
        ('{"file_name": "../b.png", "label": "dog"}', "line 3: '../b.png' is not in the folder"),
        ('{"file_name": "b.png"}', "line 3: expected either 'label' or 'labels'"),
        ('{"file_name": "b.png", "label": 3}', "line 3: 'label' holds '3', no name; "),
        ('{"file_name": "b.png", "label": ["void"]}', "line 3: tag 'void' is no class"),
        ('["b.png"]', "line 3: expected 'file_name' and 'label' or 'labels'"),
        ("[" * 10**5, "line 3: not JSON"),
    ],
)
def test_what_is_wrong_with_metadata_is_one_line(root, line, message):
    lay(root, "a.png", "b.png")
    first = '{"file_name": "a.png", "label": "dog"}\n\n'
    (root / "metadata.jsonl").write_text(first + line)
    assert complaint(root).startswith(f"metadata.jsonl: {message}")


# COCO


def coco(names: list[str], objects: list[tuple[int, str, object]]) -> dict:
    """Content of an annotation file: objects as number of the image, class and segmentation."""
    classes = ["dog", "cat"]
    return {
        "info": {},
        "images": [
            {"id": k, "file_name": name, "height": H, "width": W} for k, name in enumerate(names)
        ],
        "categories": [{"id": 5 * k + 3, "name": name} for k, name in enumerate(classes)],
        "annotations": [
            {"id": n, "image_id": k, "category_id": 5 * classes.index(c) + 3, "bbox": [0, 0, 1, 1],
             **({} if region is None else {"segmentation": region})}
            for n, (k, c, region) in enumerate(objects)
        ],
    }  # fmt: skip


BOX = [[2, 3, 6, 3, 6, 8, 2, 8]]
"""A rectangle whose corners belong to it."""


def boxed(label: int) -> np.ndarray:
    mask = np.zeros((H, W), np.uint8)
    mask[3:9, 2:7] = label
    return mask


def test_coco_gives_tags_and_masks(root):
    lay(root, "images/a.png", "images/b.png", "images/c.png", "images/left out.png")
    runs = {"size": [H, W], "counts": [0, H * W]}
    content = coco(
        ["a.png", "b.png", "c.png"], [(0, "cat", BOX), (1, "dog", runs), (1, "cat", BOX)]
    )
    (root / "annotations.json").write_text(json.dumps(content))
    found = Found(root)
    assert found.line.startswith("COCO's annotations: ")
    assert "1 images without a row in annotations.json are not used ('left out.png')" in found.line
    assert found.classes == ("dog", "cat")  # in the order of their ids
    assert found.tags() == {
        "images/a.png": {"cat"}, "images/b.png": {"dog", "cat"}, "images/c.png": set(),
    }  # fmt: skip
    line, masks = found.masks()
    assert line == "3 masks indexed"
    np.testing.assert_array_equal(masks["a"], boxed(2))
    np.testing.assert_array_equal(masks["b"], np.maximum(boxed(2), 1))
    np.testing.assert_array_equal(masks["c"], 0)


def test_boxes_of_coco_are_tags_alone(root):
    lay(root, "a.png", "b.png")
    content = coco(["a.png", "b.png"], [(0, "cat", None), (1, "dog", [])])
    (root / "boxes.json").write_text(json.dumps(content))
    found = Found(root)
    assert found.tags() == {"a.png": {"cat"}, "b.png": {"dog"}}
    assert found.masks() == ("0 masks indexed", {})


def test_files_of_coco_name_their_splits(root):
    lay(root, "train2017/a.png", "train2017/b.png", "val2017/c.png")
    for split, names in (("train", ["a.png", "b.png"]), ("val", ["c.png"])):
        (root / "annotations").mkdir(exist_ok=True)
        file = root / "annotations" / f"instances_{split}2017.json"
        file.write_text(json.dumps(coco(names, [(k, "dog", BOX) for k in range(len(names))])))
    found = Found(root)
    assert found.split("val") == {"val2017/c.png"}
    assert len(found.masks()[1]) == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c["annotations"][0].update(image_id=9),
         "annotation 0 of image 9: no such image in the file"),
        (lambda c: c["annotations"][0].update(category_id=9),
         "annotation 0 of image 0: no category 9"),
        (lambda c: c["annotations"][0].update(segmentation={"size": [H, W], "counts": "a"}),
         "annotation 0 of image 0: the compressed runs of a region end in the middle"),
        (lambda c: c["annotations"][0].update(segmentation={"size": [H, W], "counts": [5]}),
         "image 0: the runs of a region add up to 5 pixels"),
        (lambda c: c["annotations"][0].update(segmentation=[["x"]]), "annotation 0 of image 0: "),
        (lambda c: c["images"][0].update(file_name="z.png"),
         "image 0: 'z.png' is not in the folder"),
        (lambda c: c["images"][0].update(height=W, width=H), "12x16 pixels, its image 16x12"),
        (lambda c: c["images"][0].pop("file_name"), "not COCO's annotations: images.0.file_name"),
        (lambda c: c["images"][0].update(id=1), "two images have one id"),
        (lambda c: c["categories"][0].update(name="background"), "categories: class 'background'"),
        (lambda c: c["categories"].clear(), "categories: expected 1 to 254 classes, found 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_coco_is_one_line(root, spoil, message):
    lay(root, "a.png", "b.png")
    content = coco(["a.png", "b.png"], [(0, "dog", BOX), (1, "cat", BOX)])
    spoil(content)
    (root / "x.json").write_text(json.dumps(content))
    assert complaint(root).startswith(f"x.json: {message}")


# Label Studio


def task(image: str, *results: dict, **more: object) -> dict:
    return {"id": 7, "data": {"image": image}, "annotations": [{"result": list(results)}], **more}


def result(kind: str, *names: str, **value: object) -> dict:
    return {
        "type": kind, "original_width": W, "original_height": H, "value": {**value, kind: [*names]},
    }  # fmt: skip


def test_label_studio(root):
    lay(root, *(f"images/{n}.png" for n in "abcdef"))
    content = [
        task("/data/upload/1/0a1b2c3d-a.png", result("choices", "dog", "cat")),
        task("/data/local-files/?d=photos%2Fb.png", result("rectanglelabels", "dog", x=1)),
        task("s3://bucket/c.png?token=1", result("brushlabels", "cow", format="rle", rle=BRUSH)),
        task("https://host/d.png", result("polygonlabels", "cat", points=POINTS)),
        {"id": 9, "data": {"image": "e.png"}, "annotations": []},
        {**task("f.png"), "annotations": [{"result": [], "was_cancelled": True}]},
    ]
    (root / "export.json").write_text(json.dumps(content))
    found = Found(root)
    assert found.line.startswith("Label Studio's export: ")
    assert "2 tasks are not annotated" in found.line
    assert found.tags() == {
        "images/a.png": {"dog", "cat"}, "images/b.png": {"dog"},
        "images/c.png": {"cow"}, "images/d.png": {"cat"},
    }  # fmt: skip
    # What is drawn there need not be all there is to see.
    assert found.masks() == ("0 masks indexed", {})


def packed(pixels: np.ndarray) -> list[int]:
    """Plain packing of RGBA bytes as Label Studio's brush has it: words of 8 bits, literals."""
    bits = f"{pixels.size:032b}" + f"{7:05b}" + "".join(f"{n:04b}" for n in (2, 3, 7, 15))
    for start in range(0, pixels.size, 256):
        part = pixels[start : start + 256]
        run = len(set(part.tolist())) == 1
        bits += ("1" if run else "0") + "10" + f"{len(part) - 1:08b}"
        bits += f"{part[0]:08b}" if run else "".join(f"{b:08b}" for b in part)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


def rgba(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask.astype(np.uint8)[..., None] * 255, 4, 2).ravel()


BRUSH = packed(rgba(boxed(1)))
POINTS = [[12.5, 25], [43, 25], [43, 70], [12.5, 70]]


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 40))))
def test_a_brush_is_what_was_painted(mask):
    np.testing.assert_array_equal(brush_mask(packed(rgba(mask)), mask.shape), mask)


def test_a_brush_of_the_tool_itself():
    """Packed by label-studio-converter 0.0.59, ``brush.mask2rle``."""
    rle = [0, 0, 0, 96, 57, 27, 252, 127, 248, 220, 2, 223, 253, 176, 11, 127, 224]
    mask = np.zeros((4, 6), bool)
    mask[2:, 3:] = mask[0, 0] = True
    np.testing.assert_array_equal(brush_mask(rle, mask.shape), mask)


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (task("z.png", result("choices", "dog")), "task 7: 'z.png' is not in the folder"),
        (task("a.png", result("choices", "none")), "task 7: tag 'none' stands for nothing"),
        (task("a.png", {"type": "choices", "value": {"choices": "dog"}}),
         "task 7: 'choices' is no list of names"),
        (task("a.png", {"value": {}}), "task 7: KeyError 'type'"),
        (task("a.png", result("brushlabels", "dog", rle=BRUSH[:9])), "task 7: a brush ends in"),
        (task("a.png", result("brushlabels", "dog", rle=[0] * 50)), "task 7: a brush of 0 numbers"),
        (task("", result("choices", "dog")), "task 7: its image is '', no file"),
        ({"id": 7, "data": {}, "annotations": []}, "no task is annotated"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_label_studio_is_one_line(root, one, message):
    lay(root, "a.png", "b.png")
    (root / "export.json").write_text(json.dumps([one]))
    assert complaint(root).startswith(f"export.json: {message}")


# CVAT

CVAT = """<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>
<image id="0" name="day 1/a.png" width="16" height="12" subset="Train">
  <tag label="dog" source="manual"></tag><box label="cat" xtl="1" ytl="2" xbr="3" ybr="4"/></image>
<image id="1" name="b.png" width="16" height="12" subset="Train">
  <polygon label="cat" points="2.0,3.0;6.2,3.0;6.2,8.0;2.0,8.0" z_order="1"/>
  <mask label="dog" rle="1, 3, 2" left="0" top="0" width="3" height="2" z_order="0"/></image>
<image id="2" name="c.png" width="16" height="12" subset="Validation"></image>
</annotations>"""


def test_cvat(root):
    lay(root, "images/day 1/a.png", "images/b.png", "images/c.png")
    (root / "annotations.xml").write_text(CVAT)
    found = Found(root)
    assert found.line.startswith("CVAT's export: ")
    assert found.tags() == {
        "images/day 1/a.png": {"dog", "cat"}, "images/b.png": {"dog", "cat"}, "images/c.png": set(),
    }  # fmt: skip
    assert found.split("val") == {"images/c.png"}
    assert found.masks() == ("0 masks indexed", {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name="b.png"', 'name="z.png"', "image 'z.png': 'z.png' is not in the folder"),
        ('name="b.png"', "", "an image has no name"),
        ('label="dog" source', 'label="ignore" source', "image 'day 1/a.png': tag 'ignore' is no"),
        ("2.0,3.0;", "2.0;", "image 'b.png': the points of a polygon are not"),
        ("2.0,3.0;", "nan,3.0;", "image 'b.png': the points of a polygon are not"),
        ('rle="1, 3, 2"', 'rle="1, 3, 3"', "image 'b.png': the runs of a mask do not fit"),
        ('left="0"', 'left="-1"', "image 'b.png': the runs of a mask do not fit"),
        ('left="0"', 'left="x"', "image 'b.png': <mask> has no number 'left'"),
        ("</annotations>", "", "not valid XML: "),
        ("<annotations>", "<!DOCTYPE a><annotations>", "document types and entities are not"),
        ("image", "picture", "no <image>; export it as 'CVAT for images 1.1'"),
    ],
)
def test_what_is_wrong_with_cvat_is_one_line(root, old, new, message):
    lay(root, "day 1/a.png", "b.png", "c.png")
    (root / "annotations.xml").write_text(CVAT.replace(old, new))
    assert complaint(root).startswith(f"annotations.xml: {message}")


# Which it is


def test_two_lists_are_one_too_many(root):
    lay(root, "images/a.png", "images/b.png")
    (root / "labels.csv").write_text("file,tags\na.png,dog\nb.png,cat\n")
    (root / "metadata.csv").write_text("file_name,label\na.png,dog\n")
    assert complaint(root).startswith("labels.csv and metadata.csv both say what the photographs")


def test_a_list_that_nobody_knows(root):
    lay(root, "dog/a.png", "cat/b.png")
    (root / "notes.json").write_text("{}")
    assert complaint(root).startswith("notes.json: neither of COCO, Label Studio nor CVAT")
    (root / "labels.csv").write_text("file,tags\na.png,dog\n")
    (root / "images").mkdir()
    for name in ("a.png", "b.png"):
        (root / "images" / name).write_bytes(picture(ord(name[0])))
    (root / "labels.csv").write_text("file,tags\na.png,dog\nb.png,cat\n")
    assert "'notes.json' is no list that is known, and is not used" in Found(root).line
    (root / "notes.json").write_text("{")
    assert complaint(root).startswith("notes.json: not JSON: ")


def test_a_zip_of_a_folder_is_read_too(root):
    lay(root, "dog/a.png", "cat/b.png")
    archive = Path(shutil.make_archive(f"{root}-zip", "zip", root))
    values = {"format": "folder", "root": f"{archive}", "max_side": 500, "val_share": 0.3}
    files = {split: [root.parent / f"{split}.json"] for split in ("train", "val")}
    line = FolderFormat(Settings(**values)).index("pets", archive, files)
    assert line.startswith("a folder per class: 1 train images, 1 val images")
