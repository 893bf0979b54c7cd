"""PASCAL VOC 2012 from its archives."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.indexing import write_index
from hfpl.plugins.formats.mask_files import listed_masks, write_mask_manifests
from hfpl.plugins.formats.voc2012 import Voc2012Format
from hfpl.plugins.formats.voc2012.convert import convert
from hfpl.storage.manifest import read_manifests, read_masks
from hfpl.storage.reading import ImageRoot

TRAIN = ["2007_000032", "2007_000039", "2007_000063", "2007_000068", "2007_000121"]
VAL = ["2007_000033", "2007_000042", "2007_000061"]
AUGMENTED = ["2008_000002", "2008_000003", "2008_000007"]


@pytest.fixture(scope="module")
def archives(tmp_path_factory, voc_archives) -> dict[str, Path]:
    return voc_archives(tmp_path_factory.mktemp("voc"))


@pytest.fixture(scope="module")
def converted(archives, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "voc2012.zip"
    assert convert(archives, path) == {"train": 5, "val": 3, "trainaug": 8}
    return path


def index(path: Path, folder: Path) -> tuple:
    """Manifests of training and val, and the masks of both."""
    files = {s: [folder / f"{s}.json"] for s in ("train", "val")}
    masks = {s: [folder / f"{s}.masks.json"] for s in files}
    root, lists = ImageRoot(path), Voc2012Format.published_lists
    write_index("voc2012", root, lists, files)
    write_mask_manifests(root, listed_masks(root, lists, files), files, masks)
    return *(read_manifests(f) for f in files.values()), *(read_masks(m) for m in masks.values())


def test_lists_are_the_published_ones_and_trainaug(converted, archives):
    with zipfile.ZipFile(converted) as archive, tarfile.open(archives["trainval"]) as devkit:
        for split in ("train", "val"):
            name = f"ImageSets/Segmentation/{split}.txt"
            published = devkit.extractfile(f"VOCdevkit/VOC2012/{name}").read()
            assert archive.read(name) == published
    assert voc.read_list(ImageRoot(converted), "trainaug") == sorted(TRAIN + AUGMENTED)


def test_files_are_stored_as_published_and_nothing_else(converted, archives):
    used = sorted(TRAIN + VAL + AUGMENTED)
    expected = [f"JPEGImages/{n}.jpg" for n in used] + [f"Annotations/{n}.xml" for n in used]
    expected += [f"SegmentationClass/{n}.png" for n in TRAIN + VAL]
    lists = [f"ImageSets/Segmentation/{n}.txt" for n in ("train", "trainaug", "val")]
    with zipfile.ZipFile(converted) as archive, tarfile.open(archives["trainval"]) as devkit:
        assert sorted(archive.namelist()) == sorted(expected + lists)
        for name in expected:
            assert archive.read(name) == devkit.extractfile(f"VOCdevkit/VOC2012/{name}").read()
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}


def test_equal_archives_give_equal_bytes(converted, archives, tmp_path):
    convert(archives, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == converted.read_bytes()


def test_the_reader_takes_it(converted, tmp_path):
    train, val, train_masks, val_masks = index(converted, tmp_path)
    assert [i.id for i in train.images] == sorted(TRAIN + AUGMENTED)
    assert [i.id for i in val.images] == VAL
    assert (sorted(train_masks), sorted(val_masks)) == (TRAIN, VAL)
    assert train.classes == voc.VOC_CLASSES
    root = ImageRoot(converted)
    for image in (*train.images, *val.images):
        assert (image.height, image.width) == (48, 64)
        if truth := (train_masks | val_masks).get(image.id):
            seen = set(np.unique(root.mask(truth)).tolist()) - {0, 255}
            assert image.tags == tuple(sorted(label - 1 for label in seen))


def test_a_part_of_it_is_indexed_with_labels_of_its_own(converted, tmp_path):
    content = YAML(typ="safe", pure=True).load(preset_text("voc-animals"))
    entry = content["datasets"]["voc-animals"]
    assert (len(entry["only"]), entry["limit"]) == (6, 160)
    whole = dict(zip(("train", "val"), index(converted, tmp_path)[:2], strict=True))
    # Of the classes of two images, so that each split has one.
    kept = sorted({*whole["train"].images[0].tags, *whole["val"].images[0].tags})
    only = [voc.VOC_CLASSES[k] for k in reversed(kept)]
    changed = {**content, "datasets": {"voc-animals": {**entry, "only": only}}}
    chosen = Voc2012Format(validate_params(changed).chosen_dataset)
    files = {split: [tmp_path / f"part-{split}.json"] for split in whole}
    masks = {split: [tmp_path / f"part-{split}.masks.json"] for split in whole}
    chosen.index("voc-animals", converted, files)
    chosen.masks(converted, files, masks)
    for split in whole:
        part, truths = read_manifests(files[split]), read_masks(masks[split])
        assert part.classes == tuple(sorted(only))
        taken = {i.id: i.tags for i in whole[split].images if i.tags and {*i.tags} <= {*kept}}
        found = {i.id: tuple(kept[tag] for tag in i.tags) for i in part.images}
        assert found == taken
        for image_id, truth in truths.items():
            seen = set(np.unique(ImageRoot(converted).mask(truth)).tolist()) - {0, 255}
            assert seen <= {kept.index(tag) + 1 for tag in taken[image_id]}


def rewritten(archives: dict[str, Path], folder: Path, drop: str) -> dict[str, Path]:
    """The archives without the entries whose name ends so."""
    devkit = folder / "devkit.tar"
    with tarfile.open(archives["trainval"]) as source, tarfile.open(devkit, "w") as target:
        for info in source:
            if not info.name.endswith(drop):
                target.addfile(info, source.extractfile(info) if info.isreg() else None)
    return {**archives, "trainval": devkit}


@pytest.mark.parametrize(
    "file",
    [
        "JPEGImages/2008_000003.jpg",
        "Annotations/2007_000061.xml",
        "SegmentationClass/2007_000121.png",
        "ImageSets/Segmentation/val.txt",
    ],
)
def test_a_missing_file_is_named_and_nothing_written(archives, tmp_path, file):
    given = rewritten(archives, tmp_path, file)
    path = tmp_path / "out" / "voc2012.zip"
    with pytest.raises(ValueError, match=rf"devkit\.tar: no file 'VOCdevkit/VOC2012/{file}' in it"):
        convert(given, path)
    assert not path.parent.exists() or list(path.parent.iterdir()) == []


def test_a_list_that_leads_out_reads_nothing(archives, tmp_path):
    given = rewritten(archives, tmp_path, "ImageSets/Segmentation/val.txt")
    (tmp_path / "val.txt").write_text("../../../../etc/passwd\n")
    with tarfile.open(given["trainval"], "a") as archive:
        name = "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
        archive.add(tmp_path / "val.txt", name)
    with pytest.raises(ValueError, match=r"no file 'VOCdevkit/VOC2012/JPEGImages/\.\./"):
        convert(given, tmp_path / "voc2012.zip")


def test_an_archive_without_augmented_masks_is_named(archives, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("SegmentationClassAug/deeper/2007_000032.png", b"")
        archive.writestr("2007_000032.png", b"")
    with pytest.raises(ValueError, match=r"a\.zip: no masks SegmentationClassAug/\*\.png in it"):
        convert({**archives, "augmented": tmp_path / "a.zip"}, tmp_path / "voc2012.zip")


def test_real_photographs(photographs, tmp_path):
    devkit, augmented = tmp_path / "devkit.tar", tmp_path / "augmented.zip"
    with tarfile.open(devkit, "w") as archive:
        for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets"):
            archive.add(photographs / folder, f"VOCdevkit/VOC2012/{folder}")
    with zipfile.ZipFile(augmented, "w") as archive:
        for file in (photographs / "SegmentationClassAug").iterdir():
            archive.write(file, f"SegmentationClassAug/{file.name}")
    lists = photographs / "ImageSets" / "Segmentation"
    ids = {s: (lists / f"{s}.txt").read_text().split() for s in ("train", "val")}
    masked = {f.stem for f in (photographs / "SegmentationClassAug").iterdir()}
    path = tmp_path / "voc2012.zip"
    counts = convert({"trainval": devkit, "augmented": augmented}, path)
    assert counts == {
        "train": len(ids["train"]),
        "val": len(ids["val"]),
        "trainaug": len(masked - set(ids["val"])),
    }
    train, val, train_masks, val_masks = index(path, tmp_path)
    assert [i.id for i in train.images] == sorted(masked - set(ids["val"]))
    assert sorted(train_masks) == sorted(ids["train"])
    assert sorted(val_masks) == sorted(ids["val"])
    root = ImageRoot(path)
    for image in val.images:
        seen = set(np.unique(root.mask(val_masks[image.id])).tolist()) - {0, 255}
        assert seen <= {k + 1 for k in image.tags}
