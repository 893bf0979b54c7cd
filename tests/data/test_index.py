"""Manifests of a data set: what changes touches what, and which mistakes are found."""

import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.images.palette import encode_mask
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.indexing import write_index
from hfpl.plugins.formats.mask_files import listed_masks, write_mask_manifests
from hfpl.plugins.formats.subset import chosen_images
from hfpl.plugins.formats.voc import InVocLayout
from hfpl.plugins.formats.voc import Settings as VocSettings
from hfpl.plugins.formats.voc import build as build_voc
from hfpl.storage.fingerprint import fingerprint
from hfpl.storage.manifest import read_manifests, read_masks, shard_of
from hfpl.storage.reading import ImageRoot

LISTS = {"training": "trainaug", "train": "train", "val": "val"}
PARTS = InVocLayout.parts
SHARDS = 3
CLASSES = ("cat", "dog")


def jpeg(name: str, size: tuple[int, int] = (8, 10)) -> bytes:
    rng = np.random.default_rng(list(name.encode()))
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*size, 3)).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def add_image(root: Path, name: str, objects: tuple[str, ...] = ("dog",), scored: bool = True):
    (root / voc.IMAGES / f"{name}.jpg").write_bytes(jpeg(name))
    xml = voc.annotation_xml(name, (8, 10), [(o, 1, 1, 2, 2) for o in objects])
    (root / voc.ANNOTATIONS / f"{name}.xml").write_text(xml)
    if scored:
        (root / voc.MASKS / f"{name}.png").write_bytes(encode_mask(np.zeros((8, 10), np.uint8)))


def write_lists(root: Path, **lists: list[str]) -> None:
    for name, ids in lists.items():
        (root / voc.LISTS / f"{name}.txt").write_text("\n".join(ids) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve training images, every second of them scored, and four of validation."""
    root = tmp_path / "data"
    for folder in (voc.IMAGES, voc.MASKS, voc.ANNOTATIONS, voc.LISTS):
        (root / folder).mkdir(parents=True)
    (root / voc.CLASS_FILE).write_text("\n".join(CLASSES))
    trained, held = [f"t{n}" for n in range(12)], [f"v{n}" for n in range(4)]
    for n, name in enumerate(trained):
        add_image(root, name, ("dog", "cat") if n % 3 == 0 else ("cat",), scored=n % 2 == 0)
    for name in held:
        add_image(root, name, ())
    write_lists(root, trainaug=trained, train=trained[::2], val=held)
    return root


def index(root: Path, out: Path, shards: int = SHARDS, name: str = "pets") -> dict[str, bytes]:
    """Index a data set; the files that were written, by name."""
    files = {
        split: [out / f"{split}-{k}.json" for k in range(shards)] for split in ("train", "val")
    }
    masks = {split: [p.with_suffix(".masks.json") for p in files[split]] for split in files}
    source = ImageRoot(root)
    line = write_index(name, source, LISTS, files)
    write_mask_manifests(source, listed_masks(source, LISTS, files), files, masks)
    counts = (f"{len(read_manifests(files[split]).images)} {split} images" for split in files)
    assert line.startswith(f"{', '.join(counts)} indexed; classes: cat ")
    return {p.name: p.read_bytes() for p in sorted(out.iterdir())}


def changed_files(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_every_image_is_recorded_once_in_its_shard(root, tmp_path):
    found = index(root, tmp_path / "out")
    assert len(found) == 4 * SHARDS
    for k in range(SHARDS):
        for split in ("train", "val"):
            part = read_manifests([tmp_path / "out" / f"{split}-{k}.json"])
            assert (part.dataset, part.split, part.classes) == ("pets", split, CLASSES)
            assert all(shard_of(image.id, SHARDS) == k for image in part.images)
            masks = read_masks([tmp_path / "out" / f"{split}-{k}.masks.json"])
            assert set(masks) <= {image.id for image in part.images}
    whole = read_manifests([tmp_path / "out" / f"train-{k}.json" for k in range(SHARDS)])
    assert [image.id for image in whole.images] == sorted(f"t{n}" for n in range(12))
    first = whole.images[0]
    content = (root / voc.IMAGES / "t0.jpg").read_bytes()
    assert (first.file, first.height, first.width) == ("JPEGImages/t0.jpg", 8, 10)
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert {image.id: image.tags for image in whole.images}["t3"] == (0, 1)
    masks = read_masks([tmp_path / "out" / f"train-{k}.masks.json" for k in range(SHARDS)])
    assert set(masks) == {f"t{n}" for n in range(0, 12, 2)}
    mask = (root / voc.MASKS / "t4.png").read_bytes()
    assert masks["t4"].sha256 == hashlib.sha256(mask).hexdigest()
    assert masks["t4"].file == "SegmentationClass/t4.png"


def test_a_zip_is_indexed_like_its_folder(root, tmp_path):
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(root.rglob("*")):
            file.write(path, path.relative_to(root))
    assert index(archive, tmp_path / "b") == index(root, tmp_path / "a")


def test_the_order_of_the_lists_and_a_second_run_change_nothing(root, tmp_path):
    first = index(root, tmp_path / "a")
    assert index(root, tmp_path / "a") == first
    write_lists(root, trainaug=[f"t{n}" for n in reversed(range(12))])
    assert index(root, tmp_path / "b") == first


def test_a_new_image_touches_only_the_manifest_of_its_shard(root, tmp_path):
    first = index(root, tmp_path / "a")
    add_image(root, "t99")
    write_lists(root, trainaug=[*(f"t{n}" for n in range(12)), "t99"])
    second = index(root, tmp_path / "b")
    assert changed_files(first, second) == {f"train-{shard_of('t99', SHARDS)}.json"}


def test_a_changed_mask_touches_only_the_masks_of_its_shard(root, tmp_path):
    first = index(root, tmp_path / "a")
    (root / voc.MASKS / "t4.png").write_bytes(encode_mask(np.ones((8, 10), np.uint8)))
    (root / voc.MASKS / "t5.png").write_bytes(b"not scored, not read")
    second = index(root, tmp_path / "b")
    assert changed_files(first, second) == {f"train-{shard_of('t4', SHARDS)}.masks.json"}


def test_changed_pixels_and_tags_are_seen_and_boxes_are_not(root, tmp_path):
    first = index(root, tmp_path / "a")
    (root / voc.IMAGES / "v1.jpg").write_bytes(jpeg("another"))
    assert changed_files(first, index(root, tmp_path / "b")) == {
        f"val-{shard_of('v1', SHARDS)}.json"
    }
    second = index(root, tmp_path / "b")
    moved = voc.annotation_xml("t1", (8, 10), [("cat", 3, 3, 9, 8), ("cat", 1, 1, 2, 2)])
    (root / voc.ANNOTATIONS / "t1.xml").write_text(moved)
    assert changed_files(second, index(root, tmp_path / "c")) == set()
    add_image(root, "t1", ("dog",), scored=False)
    assert changed_files(second, index(root, tmp_path / "c")) == {
        f"train-{shard_of('t1', SHARDS)}.json"
    }


def complaint(root: Path, tmp_path: Path) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the message
        index(root, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(root))
    return str(caught.value).removeprefix(str(root))


def test_an_image_in_training_and_val_is_named(root, tmp_path):
    write_lists(root, val=["v0", "t3", "v1"])
    assert complaint(root, tmp_path) == ": 't3' is in the training list and in val"


def test_an_image_that_is_scored_but_not_trained_on_is_named(root, tmp_path):
    write_lists(root, train=["t0", "zz"])
    assert complaint(root, tmp_path) == ": 'zz' is scored as train but not trained on"


@pytest.mark.parametrize(("name", "split"), [("trainaug", "train"), ("val", "val")])
def test_an_empty_list_is_named(root, tmp_path, name, split):
    write_lists(root, **{name: [], "train": []})
    assert complaint(root, tmp_path) == f": the list of {split} images is empty"


@pytest.mark.parametrize(
    "file",
    [
        "JPEGImages/t3.jpg",
        "Annotations/t3.xml",
        "SegmentationClass/t4.png",
        "SegmentationClass/v2.png",
        "ImageSets/Segmentation/val.txt",
        "ImageSets/Segmentation/trainaug.txt",
    ],
)
def test_a_missing_file_is_named(root, tmp_path, file):
    (root / file).unlink()
    assert complaint(root, tmp_path).startswith(f"/{file}: cannot be read: ")


@pytest.mark.parametrize(
    ("file", "kind"), [("JPEGImages/t3.jpg", "image"), ("SegmentationClass/t4.png", "mask")]
)
def test_a_broken_picture_is_named(root, tmp_path, file, kind):
    whole = (root / file).read_bytes()
    for content in (
        b"",
        b"text",
        whole[:10],
        b"\x89PNG\r\n\x1a\n\0\0\0\x05IHDR\0\0\0\0\0" + bytes(9),
    ):
        (root / file).write_bytes(content)
        assert complaint(root, tmp_path).startswith(f"/{file}: not a readable {kind}: ")


def test_a_mask_of_another_size_is_named_with_both(root, tmp_path):
    (root / voc.MASKS / "t4.png").write_bytes(encode_mask(np.zeros((10, 8), np.uint8)))
    assert complaint(root, tmp_path) == ("/SegmentationClass/t4.png: 8x10 pixels, its image 10x8")


def test_a_mask_in_colours_is_named(root, tmp_path):
    # Found here and not hours later, when it is first scored.
    buffer = io.BytesIO()
    Image.new("RGB", (10, 8)).save(buffer, "PNG")
    (root / voc.MASKS / "t4.png").write_bytes(buffer.getvalue())
    text = complaint(root, tmp_path)
    assert text.startswith("/SegmentationClass/t4.png: ")
    assert "RGB" in text


def test_an_unknown_class_is_named(root, tmp_path):
    add_image(root, "t3", ("cat", "cow"))
    assert complaint(root, tmp_path) == "/Annotations/t3.xml: unknown class 'cow'; known: cat, dog"


def test_too_few_files_for_the_masks_are_an_error_in_words(root, tmp_path):
    paths = [tmp_path / f"{k}.json" for k in range(3)]
    files = {"train": paths[:2], "val": paths[2:]}
    source = ImageRoot(root)
    write_index("pets", source, LISTS, files)
    with pytest.raises(ValueError, match="train: 2 manifests and 1 mask manifests"):
        write_mask_manifests(source, {}, files, {"train": paths[:1], "val": paths[:1]})


# Fingerprint of a folder


IMAGES, MASKS, BOTH = {"images"}, {"masks"}, {"images", "masks"}


def test_a_fingerprint_stays_until_a_file_of_its_part_changes(root):
    def fingerprints() -> dict[str, str]:
        return {part: fingerprint(root, PARTS[part]) for part in BOTH}

    image, annotation = root / voc.IMAGES / "t3.jpg", root / voc.ANNOTATIONS / "t3.xml"
    changes = [
        (set(), lambda: (root / "notes.txt").write_text("beside the data")),
        (set(), lambda: os.utime(image, ns=(1, image.stat().st_mtime_ns + 1))),
        (IMAGES, lambda: image.write_bytes(image.read_bytes() + b"\0")),
        (IMAGES, lambda: image.rename(image.with_name("t3b.jpg"))),
        (MASKS, lambda: (root / voc.MASKS / "new.png").write_bytes(b"")),
        (IMAGES, lambda: annotation.unlink()),
        (BOTH, lambda: write_lists(root, val=["v0"])),
        (IMAGES, lambda: (root / voc.CLASS_FILE).unlink()),
    ]
    seen = fingerprints()
    assert seen == {part: fingerprint(Path(str(root)), PARTS[part]) for part in BOTH}
    for parts, change in changes:
        change()
        found = fingerprints()
        assert {part for part in BOTH if found[part] != seen[part]} == parts
        seen = found


def test_a_fingerprint_is_that_of_names_and_contents_in_the_order_of_names(root):
    (root / voc.MASKS / "folder.png").mkdir()
    (root / voc.MASKS / "link.png").symlink_to(root / voc.CLASS_FILE)
    whole, files = hashlib.sha256(), 0
    for folder in (voc.MASKS, voc.LISTS):
        for name in sorted(os.listdir(root / folder)) if (root / folder).exists() else []:
            path = root / folder / name
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                whole.update(f"{folder}/{name}\0{content}".encode())
                files += 1
    assert files > 4
    assert fingerprint(root, PARTS["masks"]) == whole.hexdigest()[:16]


def test_a_copy_has_the_same_fingerprint(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, copy_function=shutil.copyfile)  # without the times
    assert fingerprint(copy, PARTS["images"]) == fingerprint(root, PARTS["images"])


def test_files_are_read_once_as_long_as_they_look_the_same(root, tmp_path):
    image, seen = root / voc.IMAGES / "t3.jpg", tmp_path / "seen.json"
    before = fingerprint(root, PARTS["images"], seen)
    assert not seen.exists()  # A file of this very second may change once more unseen.
    for path in root.rglob("*"):
        os.utime(path, ns=(1, 10**18))
    assert fingerprint(root, PARTS["images"], seen) == before
    content = image.read_bytes()
    image.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(image, ns=(1, 10**18))
    assert fingerprint(root, PARTS["images"], seen) == before  # by its looks
    os.utime(image, ns=(1, 10**18 + 1))
    assert fingerprint(root, PARTS["images"], seen) != before
    seen.write_text("[[")
    assert fingerprint(root, PARTS["images"], seen) != before


@pytest.mark.parametrize("part", sorted(BOTH))
def test_a_folder_that_is_not_there_has_a_fingerprint(tmp_path, part):
    assert fingerprint(tmp_path / "nowhere", PARTS[part]) == "absent"
    (tmp_path / "empty").mkdir()
    assert fingerprint(tmp_path / "empty", PARTS[part]) != "absent"


@pytest.mark.parametrize("part", sorted(BOTH))
def test_a_zip_has_a_fingerprint_that_follows_its_content(tmp_path, part):
    archive = tmp_path / "data.zip"
    archive.write_bytes(b"one")
    first = fingerprint(archive, PARTS[part])
    archive.write_bytes(b"another")
    assert fingerprint(archive, PARTS[part]) != first


def test_a_fingerprint_looks_into_subfolders_and_follows_no_link_out_of_them(root):
    below = root / voc.IMAGES / "holiday" / "2026"
    below.mkdir(parents=True)
    seen = {fingerprint(root, PARTS["images"])}
    (below / "a.jpg").write_bytes(b"one")
    seen.add(fingerprint(root, PARTS["images"]))
    (below / "a.jpg").write_bytes(b"other")
    seen.add(fingerprint(root, PARTS["images"]))
    assert len(seen) == 3
    (below / "loop").symlink_to(root)
    assert fingerprint(root, PARTS["images"]) in seen


def test_a_link_to_nowhere_does_not_stop_a_dry_run(root):
    (root / voc.IMAGES / "lost.jpg").symlink_to(root / "nowhere.jpg")
    assert len(fingerprint(root, PARTS["images"])) == 16


def test_real_photographs_are_indexed(photographs: Path, tmp_path):
    lists = {"training": "train", "train": "train", "val": "val"}
    files = {split: [tmp_path / f"{split}.json"] for split in ("train", "val")}
    masks = {split: [tmp_path / f"{split}.masks.json"] for split in files}
    source = ImageRoot(photographs)
    line = write_index("photographs", source, lists, files)
    write_mask_manifests(source, listed_masks(source, lists, files), files, masks)
    assert "no training image is tagged 'aeroplane', 'bicycle', 'bird', 'boat'" in line
    for split in files:
        manifest = read_manifests(files[split])
        assert 0 < len(manifest.images) == len(read_masks(masks[split]))
        assert manifest.classes == voc.VOC_CLASSES
        assert all(image.tags for image in manifest.images)


PETS = {"lists": LISTS, "format": "voc"}


def index_part(root: Path, out: Path, **part):
    """The manifests of a part of a data set, as its format makes them: split → images, masks."""
    settings = VocSettings(**PETS, root=str(root), **{"only": None, "limit": None, **part})
    chosen, files, masks = build_voc(settings), {}, {}
    for split in ("train", "val"):
        files[split] = [out / f"{split}-{k}.json" for k in range(2)]
        masks[split] = [p.with_suffix(".masks.json") for p in files[split]]
    chosen.index("pets", root, files)
    chosen.masks(root, files, masks)
    return {split: (read_manifests(files[split]), read_masks(masks[split])) for split in files}


@pytest.fixture
def tagged(root: Path) -> Path:
    """A validation image of each class, and one of both; labels of both in every mask."""
    label = np.zeros((8, 10), np.uint8)
    label[2:4], label[5:7], label[7] = 1, 2, 255
    for name, objects in {"v0": ("dog",), "v1": ("cat",), "v2": ("dog", "cat")}.items():
        add_image(root, name, objects)
    add_image(root, "t10", ("dog",))
    for file in (root / voc.MASKS).glob("*.png"):
        file.write_bytes(encode_mask(label))
    return root


def test_a_part_has_the_images_of_its_classes_alone_and_labels_of_its_own(tagged, tmp_path):
    found = index_part(tagged, tmp_path / "out", only=["dog"])["val"]
    images, masks = found
    assert images.classes == ("dog",)
    assert [(image.id, image.tags) for image in images.images] == [("v0", (0,))]
    assert list(masks) == ["v0"]
    truth = ImageRoot(tagged).mask(masks["v0"])
    assert (truth[5:7] == 1).all()
    assert (truth[2:4] == 255).all()  # what is no class of this part is not scored
    assert (truth[:2] == 0).all()
    assert (truth[7] == 255).all()


def test_without_only_and_limit_everything_is_as_before(tagged, tmp_path):
    images, masks = index_part(tagged, tmp_path / "out")["val"]
    assert images.classes == CLASSES
    assert [image.id for image in images.images] == ["v0", "v1", "v2", "v3"]
    assert all(mask.labels == () for mask in masks.values())
    assert b"labels" not in (tmp_path / "out" / "val-0.masks.json").read_bytes()


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_no_class_has_more_images_than_the_limit_and_none_is_left_out_without_need(
    tagged, tmp_path, limit
):
    images = index_part(tagged, tmp_path / "out", limit=limit)["train"][0].images
    whole = index_part(tagged, tmp_path / "all")["train"][0].images
    counts = [sum(k in image.tags for image in images) for k in range(2)]
    assert max(counts) <= limit
    taken = {image.id for image in images}
    for image in whole:
        if image.id not in taken:
            assert any(counts[k] == limit for k in image.tags)


def test_a_new_image_with_a_later_hash_changes_nothing_of_the_part():
    old = {f"i{n}": (n % 3,) for n in range(40)}
    before = chosen_images(old.items(), [0, 1, 2], 5)
    last = max(old, key=lambda i: hashlib.sha256(i.encode()).digest())
    assert chosen_images(((i, t) for i, t in old.items() if i != last), [0, 1, 2], 5) >= (
        before - {last}
    )


def test_an_unknown_class_of_a_part_is_named(tagged, tmp_path):
    with pytest.raises(ValueError, match=r"datasets\.pets\.only: unknown class 'cow'; known: cat"):
        index_part(tagged, tmp_path / "out", only=["cow"])
    with pytest.raises(ValueError, match="a class stands there twice"):
        index_part(tagged, tmp_path / "out", only=["cat", "cat"])


def test_a_part_without_images_is_named(root, tmp_path):
    with pytest.raises(ValueError, match="only: no train image has these classes alone"):
        index_part(root, tmp_path / "out", only=["dog"])


def test_photographs_of_any_kind_are_found_by_their_names_and_other_files_counted(root, tmp_path):
    images = root / voc.IMAGES
    with Image.open(images / "t3.jpg") as picture:
        picture.save(images / "t3.webp")
    (images / "t3.jpg").unlink()
    for name in ("notes.txt", "a.xyz", "b.xyz", ".hidden"):
        (images / name).write_bytes(b"")
    files = {split: [tmp_path / f"{split}.json"] for split in ("train", "val")}
    line = write_index("pets", ImageRoot(root), LISTS, files)
    found = {image.id: image.file for image in read_manifests(files["train"]).images}
    assert found["t3"] == f"{voc.IMAGES}/t3.webp"
    assert found["t0"] == f"{voc.IMAGES}/t0.jpg"
    assert "; 3 files are no photographs: .xyz 2, .txt 1" in line
