"""Masks that a person has put right: what is learned from, and that nothing of val is."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.plugins.formats.folder import FolderFormat, Settings
from hfpl.storage.manifest import read_masks
from hfpl.storage.reading import ImageRoot
from tests.data.test_layouts import BOX, BRUSH, CVAT, H, W, boxed, coco, lay, result, task


class Corrected:
    """A folder's corrections, indexed."""

    def __init__(self, root: Path) -> None:
        values = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.3}
        pets = FolderFormat(Settings(**values))
        files = {split: [root.parent / f"{split}.json"] for split in ("train", "val")}
        pets.index("pets", root, files)
        out = root.parent / "corrections.json"
        self.line = pets.corrections(root, files, [out])
        source = ImageRoot(root)
        self.masks = {name: source.mask(record) for name, record in read_masks([out]).items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    lay(root, "images/a.png", "images/b.png", "images/c.png")
    lines = ["file,tags,split", "a.png,cat,train", "b.png,dog,train", "c.png,dog,val"]
    (root / "labels.csv").write_text("\n".join(lines))
    (root / "corrections").mkdir()
    return root


def complaint(root: Path) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        Corrected(root)
    assert not (root.parent / "corrections.json").exists()
    return str(caught.value).removeprefix(f"{root}/")


def test_without_any_there_are_none(root):
    (root / "corrections").rmdir()
    found = Corrected(root)
    assert (found.line, found.masks) == ("0 corrected masks indexed", {})


def test_masks_of_val_are_left_out(root):
    for name in ("a", "c", "z"):
        Image.fromarray(np.full((H, W), 2, np.uint8)).save(root / "corrections" / f"{name}.png")
    found = Corrected(root)
    assert set(found.masks) == {"a"}
    np.testing.assert_array_equal(found.masks["a"], 2)
    assert found.line == (
        "1 corrected masks indexed; 1 files in corrections are no mask of a photograph ('z.png'); "
        "1 corrected photographs are of val, and nothing learns of them ('c')"
    )


def test_corrections_are_no_photographs_and_no_masks_to_score(root):
    Image.fromarray(np.full((H, W), 2, np.uint8)).save(root / "corrections" / "a.png")
    values = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.3}
    pets = FolderFormat(Settings(**values))
    before = {part: pets.fingerprint(part) for part in ("images", "masks", "corrections")}
    Image.fromarray(np.full((H, W), 1, np.uint8)).save(root / "corrections" / "b.png")
    after = {part: pets.fingerprint(part) for part in ("images", "masks", "corrections")}
    changed = {part for part in before if before[part] != after[part]}
    assert changed == {"corrections"}


def test_annotation_files_of_every_kind(root):
    (root / "corrections" / "x.json").write_text(json.dumps(coco(["a.png"], [(0, "cat", BOX)])))
    # Classes are the data set's, in their order: cat 1, dog 2.
    np.testing.assert_array_equal(Corrected(root).masks["a"], boxed(1))
    content = [task("b.png", result("brushlabels", "dog", format="rle", rle=BRUSH))]
    (root / "corrections" / "x.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(Corrected(root).masks["b"], boxed(2))
    (root / "corrections" / "x.json").unlink()
    (root / "corrections" / "annotations.xml").write_text(CVAT.replace("day 1/a.png", "a.png"))
    found = Corrected(root)
    expected = boxed(1)  # the cat, with the higher z_order, over the dog of 1 + 2 pixels
    expected[0, 1:3], expected[1, 0] = 2, 2
    np.testing.assert_array_equal(found.masks["b"], expected)
    assert "2 photographs in corrections have no region drawn, and are not used" in found.line


def test_of_two_photographs_of_one_name_the_address_says_which(tmp_path):
    root = tmp_path / "photos"
    lay(root, "train/cat/a.png", "train/dog/a.png", "val/dog/b.png")
    (root / "corrections").mkdir()
    content = [task("/data/local-files/?d=photos/train/dog/a.png",
                    result("brushlabels", "dog", format="rle", rle=BRUSH))]  # fmt: skip
    (root / "corrections" / "x.json").write_text(json.dumps(content))
    found = Corrected(root).masks
    assert list(found) == ["train-dog-a"]
    np.testing.assert_array_equal(found["train-dog-a"], boxed(2))
    # An upload has no folders, and its name alone does not say.
    content[0]["data"]["image"] = "/data/upload/1/0a1b2c3d-a.png"
    (root / "corrections" / "x.json").write_text(json.dumps(content))
    (tmp_path / "corrections.json").unlink()
    assert complaint(root).startswith("corrections/x.json: task 7: 'a.png' is none of the photo")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco(["q.png"], [(0, "cat", BOX)]), "'q.png' is none of the photographs"),
        ([task("b.png", result("brushlabels", "cow", format="rle", rle=BRUSH))],
         "'cow' is no class; known: cat, dog"),
        ({}, None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(root, content, message):
    (root / "corrections" / "x.json").write_text(json.dumps(content))
    if message:
        assert message in complaint(root)
    else:
        assert "1 files in corrections are no mask of a photograph" in Corrected(root).line


def test_two_corrections_of_one_photograph_are_an_error(root):
    Image.fromarray(np.full((H, W), 2, np.uint8)).save(root / "corrections" / "a.png")
    (root / "corrections" / "x.json").write_text(json.dumps(coco(["a.png"], [(0, "cat", BOX)])))
    assert "'a.png' has two corrections; keep one" in complaint(root)
