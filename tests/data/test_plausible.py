"""Tags and masks that cannot be meant are errors, those that look odd are named, a line each."""

import csv
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.images.palette import encode_mask, voc_palette
from hfpl.plugins.formats.folder import Settings
from hfpl.plugins.formats.folder.index import write_folder_index
from hfpl.plugins.formats.folder.masks import folder_masks
from hfpl.plugins.formats.mask_files import write_mask_manifests
from hfpl.storage.manifest import read_masks
from hfpl.storage.reading import ImageRoot

CLASSES = ("cat", "cow", "dog")
TAGS = ("cat", "dog", "cow", "cat;dog", "dog", "cow")


class Folder:
    """Six photographs with masks that fit their tags, to be spoilt."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("images", "masks"):
            (root / name).mkdir(parents=True)
        (root / "classes.txt").write_text("\n".join(CLASSES))
        rng = np.random.default_rng(0)
        for number, tags in enumerate(TAGS):
            pixels = rng.integers(0, 256, (8, 10, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / f"images/{number}.png")
            self.mask(number, *(CLASSES.index(tag) + 1 for tag in tags.split(";")))
        self.tag(*TAGS)

    def tag(self, *tags: str) -> None:
        with (self.root / "labels.csv").open("w", newline="") as file:
            rows = [(f"{n}.png", t, "val" if n > 3 else "train") for n, t in enumerate(tags)]
            csv.writer(file).writerows([("file", "tags", "split"), *rows])

    def mask(self, number: int, *labels: int) -> None:
        mask = np.zeros((8, 10), np.uint8)
        for row, label in enumerate(labels):
            mask[row] = label
        (self.root / f"masks/{number}.png").write_bytes(encode_mask(mask))

    def index(self) -> None:
        out = self.root.parent / "out"
        manifests = {split: [out / f"{split}.json"] for split in ("train", "val")}
        masks = {split: [out / f"{split}.masks.json"] for split in ("train", "val")}
        root = ImageRoot(self.root)
        settings = Settings(format="folder", root=str(self.root), max_side=64, val_share=0.5)
        write_folder_index("pets", root, settings, manifests)
        write_mask_manifests(root, folder_masks(root, manifests)[0], manifests, masks)
        assert len(read_masks(masks["train"])) == 4


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "pets")


@pytest.fixture
def warnings(folder, caplog):
    def index() -> list[str]:
        with caplog.at_level(logging.WARNING, "hfpl"):
            folder.index()
        return [record.getMessage().split("warning: ")[1] for record in caplog.records]

    return index


def complaint(folder: Folder) -> str:
    with pytest.raises(ValueError, match="pets") as caught:
        folder.index()
    assert not (folder.root.parent / "out/train.masks.json").exists()
    (line,) = str(caught.value).splitlines()
    return line


def test_what_fits_is_indexed_without_a_word(warnings):
    assert warnings() == []


def test_masks_of_0_and_255_are_an_error(folder):
    for number in range(6):
        folder.mask(number, 255)
    assert "all 6 masks hold 0 and 255 alone, and show no class; labels are 1 to 3" in complaint(
        folder
    )


def test_one_mask_of_0_and_255_among_others_may_be_meant(folder, warnings):
    folder.mask(0, 255)
    assert warnings() == []


def test_labels_in_another_order_are_an_error(folder):
    for number, tags in enumerate(TAGS):  # as if classes.txt read dog, cow, cat
        folder.mask(number, *(3 - CLASSES.index(tag) for tag in tags.split(";")))
    (folder.root / "labels.csv").write_text(
        (folder.root / "labels.csv").read_text().replace("cat;dog", "cat")
    )
    line = complaint(folder)
    assert "masks ('masks/0.png', 'masks/1.png'" in line
    assert "is the order of the labels that of the classes (1 cat, 2 cow, 3 dog)?" in line


def test_a_palette_that_an_editor_renumbered_is_an_error(folder):
    # An editor keeps the colours that are used, in the order of their use: the dog becomes 1.
    mask = Image.fromarray(np.repeat(np.uint8([[0], [1]]), 4, 0).repeat(10, 1), "P")
    mask.putpalette(voc_palette()[[0, 3]].tobytes())
    mask.save(folder.root / "masks/1.png")
    line = complaint(folder)
    assert "1 masks ('masks/1.png') have VOC's colours under other labels" in line
    assert "save them with the palette as it was" in line


def test_another_palette_whose_labels_fit_is_no_error(folder, warnings):
    with Image.open(folder.root / "masks/0.png") as mask:
        mask.putpalette(voc_palette()[[0, 3, 2, 1]].tobytes())
        mask.save(folder.root / "masks/0.png")
    assert warnings() == []


def test_a_class_that_a_tag_lacks_and_a_tag_without_a_pixel_are_named(folder, warnings):
    folder.mask(2, 2, 3)
    folder.mask(4, 1, 2)
    folder.mask(5, 2)
    assert warnings() == [
        "2 masks ('masks/2.png', 'masks/4.png') show classes that their images are not tagged "
        "with: 'dog' 1, 'cat' 1, 'cow' 1",
        "val: no mask shows a pixel of classes that images are tagged with: 'dog' 1",
    ]


def test_a_photograph_in_both_splits_is_named(folder, warnings):
    (folder.root / "images/5.png").write_bytes((folder.root / "images/2.png").read_bytes())
    assert warnings() == [
        "1 of 2 images of val are also in train, and are no test of what was learned "
        "('images/5.png' is 'images/2.png')"
    ]


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_a_jpeg_by_another_name_is_no_mask(folder, kind):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 10), np.uint8)).save(buffer, kind)
    (folder.root / "masks/0.png").write_bytes(buffer.getvalue())
    assert "masks/0.png: not a readable mask: JPEG, which blurs labels; save it as PNG" in (
        complaint(folder)
    )
