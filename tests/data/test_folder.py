"""A folder of photographs and its list: what goes where, and every mistake in one line."""

import io
import os
import unicodedata
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hfpl.images.palette import encode_mask
from hfpl.plugins.formats.folder import FolderFormat, Settings
from hfpl.plugins.formats.folder.index import write_folder_index
from hfpl.plugins.formats.folder.listing import Photograph, assign_splits
from hfpl.plugins.formats.folder.masks import folder_masks
from hfpl.plugins.formats.layout import VOC_CLASSES
from hfpl.plugins.formats.mask_files import write_mask_manifests
from hfpl.storage.manifest import Manifest, read_manifests, read_masks
from hfpl.storage.reading import ImageRoot

TAGGED = {f"p{n}.jpg": "dog;cat" if n % 3 == 0 else "dog" for n in range(10)}
SIZE = (8, 10)


def picture(size: tuple[int, int] = SIZE, kind: str = "JPEG", **options: object) -> bytes:
    rng = np.random.default_rng(size)
    buffer = io.BytesIO()
    pixels = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write_list(root: Path, tagged: dict[str, str], extra: str = "") -> None:
    rows = [f"{name},{tags}\n" for name, tags in tagged.items()]
    (root / "labels.csv").write_text("".join(["file,tags\n", *rows, extra]), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for name in TAGGED:
        (root / "images" / name).write_bytes(picture())
    write_list(root, TAGGED)
    return root


def settings_of(root: Path, **changed: object) -> Settings:
    values = {"format": "folder", "root": str(root), "max_side": 500, "val_share": 0.2}
    return Settings(**{**values, **changed})


class Index:
    """The manifests of a folder, read back."""

    def __init__(self, root: Path, **changed: object) -> None:
        out = root.parent / "out"
        files = {split: [out / f"{split}-{k}.json" for k in (0, 1)] for split in ("train", "val")}
        masks = {split: [p.with_suffix(".masks.json") for p in files[split]] for split in files}
        source = ImageRoot(root)
        self.line = write_folder_index("pets", source, settings_of(root, **changed), files)
        found, self.rest = folder_masks(source, files)
        write_mask_manifests(source, found, files, masks)
        self.parts: dict[str, Manifest] = {s: read_manifests(files[s]) for s in files}
        self.images = {i.id: i for part in self.parts.values() for i in part.images}
        self.classes = self.parts["train"].classes
        self.masks = {s: read_masks(masks[s]) for s in masks}

    def tags(self, image_id: str) -> set[str]:
        return {self.classes[tag] for tag in self.images[image_id].tags}

    def ids(self, split: str) -> list[str]:
        return [image.id for image in self.parts[split].images]


def complaint(root: Path, **changed: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the message
        Index(root, **changed)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith(f"{root}")
    return str(caught.value).removeprefix(f"{root}").lstrip("/: ")


def test_images_tags_and_classes_are_those_of_the_list(root):
    found = Index(root)
    assert found.classes == ("cat", "dog")
    assert set(found.images) == {name.removesuffix(".jpg") for name in TAGGED}
    for name, tags in TAGGED.items():
        assert found.tags(name.removesuffix(".jpg")) == set(tags.split(";"))
    record = found.images["p3"]
    assert (record.file, record.height, record.width) == ("images/p3.jpg", *SIZE)
    assert found.masks == {"train": {}, "val": {}}
    assert found.line == "labels.csv: 9 train images, 1 val images indexed; classes: cat 4, dog 10"


def test_rows_of_one_image_add_up(root):
    write_list(root, {**TAGGED, "p1.jpg": "cat"}, "p1.jpg,bird\np1.jpg,cat\np1.jpg,\n")
    assert Index(root).tags("p1") == {"cat", "bird"}


def test_names_are_found_without_ending_and_in_either_unicode_form(root):
    for form, name in (("NFD", "é1.png"), ("NFC", "é2.png")):
        (root / "images" / unicodedata.normalize(form, name)).write_bytes(picture(kind="PNG"))
    other = {unicodedata.normalize("NFC", "é1.png"): "cat"}
    other[unicodedata.normalize("NFD", "é2.png")] = "cat"
    write_list(root, {**TAGGED, **other, "p9": "dog"} | {"p9": "dog"}, "")
    found = Index(root)
    assert {"é1", "é2", "p9"} <= set(found.images)
    assert ImageRoot(root).image(found.images["é1"]).size == SIZE[::-1]


def test_a_class_file_gives_the_order(root):
    for text in (
        "dog\ncat\nbird\n",
        "background\r\ndog\r\n\r\n cat \r\nbird",
        "\ufeffdog\ncat\nbird",
    ):
        (root / "classes.txt").write_text(text, encoding="utf-8")
        found = Index(root)
        assert found.classes == ("dog", "cat", "bird")
        assert "classes: dog 10, cat 4, bird 0; no training image is tagged 'bird'" in found.line


def test_what_is_left_out_is_said(root):
    for name in ("new.jpg", "_DSC.JPG", ".hidden.jpg", "Thumbs.db"):
        (root / "images" / name).write_bytes(picture())
    (root / "masks" / "p77.png").write_bytes(b"")
    (root / "masks" / "p1.jpg").write_bytes(b"")
    write_list(root, {**TAGGED, "p0.jpg": ""})
    found = Index(root)
    assert "new" not in found.images
    assert "2 images without a row in labels.csv are not used ('_DSC.JPG', 'new.jpg')" in found.line
    assert found.rest == ["p1.jpg", "p77.png"]
    assert "1 images have no tag: they are taken to show none of the classes" in found.line
    assert found.tags("p0") == set()


# Splits


FILE_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1)


@settings(deadline=None)
@given(
    st.sets(
        FILE_NAMES.map(lambda name: unicodedata.normalize("NFC", name)), min_size=2, max_size=60
    ),
    st.floats(0.01, 0.99),
)
def test_a_share_is_held_out_by_name_alone(names, share):
    def split(order: list[str]) -> dict[str, set[str]]:
        photographs = [Photograph(f"{n}x.jpg", "1", n) for n in order]
        return {
            s: {p.file for p in found} for s, found in assign_splits(photographs, share, "").items()
        }

    found = split(sorted(names))
    assert min(map(len, found.values())) >= 1
    assert len(found["train"]) + len(found["val"]) == len(names)
    assert split(sorted(names, reverse=True)) == found
    # Another image moves none, unless a split had been empty but for the rule that it is not.
    more = split([*names, "another" * 20])["val"]
    moved = (more ^ found["val"]) - {f"{'another' * 20}x.jpg"}
    assert not moved or 1 in map(len, (*found.values(), more))


def test_about_a_share_is_held_out():
    photographs = [Photograph(f"{n}.jpg", "1", str(n)) for n in range(4000)]
    assert abs(len(assign_splits(photographs, 0.2, "")["val"]) - 800) < 100


def test_a_column_gives_the_splits(root):
    rows = [f"p{n}.jpg,dog,{'VAL' if n in (2, 5) else 'train'}" for n in range(10)]
    (root / "labels.csv").write_text("\n".join(["file,tags,split", *rows]))
    assert Index(root).ids("val") == ["p2", "p5"]
    for changed, message in (
        ("p3.jpg,dog,", "labels.csv: line 5: 'images/p3.jpg' has no split, others have; "),
        ("p2.jpg,dog,train", "labels.csv: line 5: 'p2.jpg' has split 'train' here and 'val' above"),
    ):
        text = "\n".join(["file,tags,split", *rows[:3], changed, *rows[4:]])
        (root / "labels.csv").write_text(text)
        assert complaint(root).startswith(message)
    (root / "labels.csv").write_text("\n".join(["file,tags,split", *rows]).replace("VAL", "train"))
    assert complaint(root) == "labels.csv: no photograph has split 'val'"


# Images and masks


def test_large_photographs_are_shrunk_with_their_masks(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "images" / "p3.jpg").write_bytes(picture((300, 400), exif=exif.tobytes()))
    truth = np.zeros((400, 300), np.uint8)
    truth[:200] = 2
    truth[:, 150:] = 255
    (root / "masks" / "p3.png").write_bytes(encode_mask(truth))
    found = Index(root, max_side=100)
    record = found.images["p3"]
    assert (record.height, record.width) == (100, 75)
    images = ImageRoot(root)
    assert images.image(record).size == (75, 100)
    split = "val" if "p3" in found.ids("val") else "train"
    mask = images.mask(found.masks[split]["p3"], (100, 75))
    assert mask.shape == (100, 75)
    assert set(np.unique(mask)) == {0, 2, 255}
    assert (mask[:50, :37] == 2).all()
    assert (mask[50:, :37] == 0).all()


def test_an_image_that_changed_after_indexing_is_named(root):
    found = Index(root)
    (root / "images" / "p3.jpg").write_bytes(picture((10, 8)))
    with pytest.raises(ValueError, match=r"images/p3\.jpg: not the file that was indexed"):
        ImageRoot(root).image(found.images["p3"])


def test_masks_may_be_grey_and_have_any_capitals(root):
    buffer = io.BytesIO()
    Image.fromarray(np.full(SIZE, 2, np.uint8)).save(buffer, "PNG")
    (root / "masks" / "p1.PNG").write_bytes(buffer.getvalue())
    found = Index(root)
    (record,) = [m for masks in found.masks.values() for m in masks.values()]
    assert (record.id, record.file) == ("p1", "masks/p1.PNG")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.full(SIZE, 3, np.uint8), "label 3, but there are 2 classes; labels are 0 for"),
        (np.zeros((3, 4), np.uint8), "4x3 pixels, its image 10x8"),
    ],
)
def test_a_mask_that_does_not_fit_is_named(root, mask, message):
    (root / "masks" / "p1.png").write_bytes(encode_mask(mask))
    assert complaint(root).startswith(f"masks/p1.png: {message}")
    (root / "masks" / "p1.png").write_bytes(picture(kind="PNG"))
    assert complaint(root).startswith("masks/p1.png: not a readable mask: ")


def test_a_damaged_image_is_found_before_anything_is_trained(root):
    whole = picture((200, 200))
    for content in (b"", b"text", whole[:200], whole[: len(whole) // 2]):
        (root / "images" / "p4.jpg").write_bytes(content)
        assert complaint(root).startswith("images/p4.jpg: not a readable image: ")


def test_images_may_be_links(root, tmp_path):
    (root / "images" / "p4.jpg").rename(tmp_path / "elsewhere.jpg")
    (root / "images" / "p4.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert "p4" in Index(root).images
    # A link never shows more than a picture.
    (tmp_path / "elsewhere.jpg").write_text("secret")
    assert "secret" not in complaint(root)
    (tmp_path / "elsewhere.jpg").unlink()
    assert complaint(root).startswith("labels.csv: line 6: 'p4.jpg' is not in images")


def lose_images(root: Path) -> None:
    for file in (root / "images").iterdir():
        file.unlink()


def add_twin(root: Path) -> None:
    (root / "images" / "p1.png").write_bytes(picture(kind="PNG"))
    write_list(root, {**TAGGED, "p1.png": "dog"})


def write(name: str, text: str):
    return lambda root: (root / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "labels.csv").unlink(),
         "'images/p0.jpg' lies in no class's folder; move it into one, or write a list (labels."),
        (lose_images, "images: no photographs; put them into this folder"),
        (lambda root: write_list(root, {"q1.jpg": "dog"}),
         "labels.csv: line 2: 'q1.jpg' is not in images; did you mean 'p1.jpg'?"),
        (lambda root: write_list(root, {"P1.JPG": "dog"}),
         "labels.csv: line 2: 'P1.JPG' is not in images; did you mean 'p1.jpg'?"),
        (add_twin, "images: 'p1.jpg' and 'p1.png' differ in their endings alone, "),
        (lambda root: write_list(root, {**TAGGED, "p1.jpg": "Dog"}),
         "labels.csv: line 3: tag 'Dog' and tag 'dog' of line 2 differ in capitals or width "),
        (lambda root: write_list(root, dict.fromkeys(TAGGED, "")),
         "labels.csv: expected 1 to 254 classes, found 0"),
        (lambda root: write_list(root, {"p1.jpg": "dog"}),
         "labels.csv: expected at least two photographs, "),
        (write("classes.txt", "cat\nbird\n"),
         "labels.csv: line 2: tag 'dog' is not in classes.txt; known: bird, cat"),
        (write("classes.txt", "cat\ndgo\n"),
         "labels.csv: line 2: tag 'dog' is not in classes.txt; did you mean 'dgo'?"),
        (write("classes.txt", "cat\ncat\n"), "classes.txt: class 'cat' is there twice"),
        (write("classes.txt", "dog\nDog\n"),
         "classes.txt: class 'Dog' is there beside 'dog', which looks the same"),
        (write("classes.txt", ""), "classes.txt: expected 1 to 254 classes, found 0"),
        (write("classes.txt", "cat\nbackground\n"), "classes.txt: class 'background' is no class"),
        (lambda root: (root / "classes.txt").write_bytes(b"\xff\xfe\xff"), "classes.txt: not UTF"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(root, spoil, message):
    spoil(root)
    assert complaint(root).startswith(message)
    assert not list((root.parent / "out").glob("*"))


# Fingerprint


def test_the_fingerprints_follow_images_tags_and_classes_and_the_masks(root):
    def fingerprints() -> tuple[str, str]:
        pets = FolderFormat(settings_of(root))
        return pets.fingerprint("images"), pets.fingerprint("masks")

    seen = fingerprints()
    for changed, change in (
        (0, lambda: (root / "images" / "p11.jpg").write_bytes(b"")),
        (0, lambda: (root / "images" / "p2.jpg").unlink()),
        (0, lambda: (root / "images" / "p3.jpg").rename(root / "images" / "other.jpg")),
        (1, lambda: (root / "masks" / "p4.png").write_bytes(b"1")),
        (1, lambda: (root / "masks" / "p4.png").write_bytes(b"12")),
        (1, lambda: (root / "masks" / "p4.png").unlink()),
        (0, lambda: write_list(root, {**TAGGED, "p9.jpg": "bird"})),
        (0, lambda: (root / "classes.txt").write_text("dog\n")),
    ):
        change()
        found = fingerprints()
        assert found[changed] != seen[changed]
        assert found[1 - changed] == seen[1 - changed]
        seen = found
    # What nothing reads is no change.
    (root / "notes.txt").write_text("mine")
    (root / "images" / "Thumbs.db").write_bytes(b"x")
    assert fingerprints() == seen


def test_names_that_are_no_unicode_do_not_stop_a_dry_run(root):
    try:
        (root / "images" / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(picture())
    except OSError:
        pytest.skip("the file system takes valid Unicode alone")
    assert len(FolderFormat(settings_of(root)).fingerprint("images")) == 16
    assert Index(root).line.encode("utf-8")


# Real photographs


def test_real_photographs_with_the_tags_of_their_annotations(photographs: Path, tmp_path):
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "masks").symlink_to(photographs / "SegmentationClass")
    tags = {}
    for path in sorted((photographs / "SegmentationClass").glob("*.png"))[::12]:
        file = f"{path.stem}.jpg"
        (root / "images" / file).symlink_to(photographs / "JPEGImages" / file)
        xml = ElementTree.parse(photographs / "Annotations" / f"{path.stem}.xml")
        tags[file] = {name.text for name in xml.iterfind("object/name")}
    write_list(root, {file: ";".join(sorted(found)) for file, found in tags.items()})
    names = sorted(set.union(*tags.values()))
    # Masks of VOC count in its own order.
    (root / "classes.txt").write_text("\n".join(VOC_CLASSES))
    found = Index(root, max_side=200)
    assert len(found.images) == len(tags) > 3
    assert sum(map(len, found.masks.values())) == len(tags)
    images = ImageRoot(root)
    for record in found.images.values():
        assert found.tags(record.id) == tags[record.file.removeprefix("images/")]
        assert max(images.image(record).size) == 200
    for split, masks in found.masks.items():
        for record in found.parts[split].images:
            truth = images.mask(masks[record.id], (record.height, record.width))
            assert truth.shape == (record.height, record.width)
            shown = {VOC_CLASSES[label - 1] for label in np.unique(truth) if 0 < label < 255}
            assert shown <= set(names)
