"""COCO in the split of 2014, from its published archives."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfpl.images.palette import encode_mask
from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.coco2014.masks import CocoImage, draw_mask, read_image_ids, read_instances
from hfpl.plugins.formats.members import Members
from hfpl.storage.archive import add_file
from hfpl.storage.atomic import replacing

_SPLITS = ("train", "val")
_ANNOTATIONS = 2**31
"""Bytes of the largest annotation file that is read; the largest published one has 0.5 GB."""


def convert(archives: Mapping[str, Path], path: str | Path) -> dict[str, int]:
    """Write images, drawn masks, labels and lists into one zip in VOC's layout.

    Images are stored as published; those without an object stay in the lists. An image-level
    label is the set of classes that are seen in the mask.

    Args:
        archives: ``train_images`` and ``val_images`` of 2017, in either of which an image may
            lie; ``instances_2017``, which the masks are drawn from; ``instances_2014``, whose
            images are the splits.
        path: zip file to write.

    Returns:
        Number of images in each list.

    Raises:
        ValueError: an archive lacks a file, or is damaged.
    """
    lists = _read_split(archives["instances_2014"])
    wanted = set().union(*lists.values())
    categories, images = _read_images(archives["instances_2017"], wanted)
    missing = sorted(wanted - set(images))
    if missing:
        raise ValueError(
            f"{archives['instances_2017']}: image {missing[0]} of the 2014 split is not in it"
        )
    labels = {category: label for label, category in enumerate(sorted(categories), start=1)}
    classes = [categories[category] for category in labels]
    with (
        Members(archives["train_images"]) as train,
        Members(archives["val_images"]) as val,
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
        track("data convert", len(wanted), "images") as advance,
    ):
        add_file(archive, voc.CLASS_FILE, "\n".join(classes) + "\n")
        for split, ids in lists.items():
            text = "".join(f"{_name(number)}\n" for number in sorted(ids))
            add_file(archive, f"{voc.LISTS}/{split}.txt", text)
        for number in sorted(wanted):
            photograph = _photograph(number, train, val)
            _write_image(archive, _name(number), photograph, images.pop(number), labels, classes)
            advance()
    return {split: len(ids) for split, ids in lists.items()}


def _name(number: int) -> str:
    return f"{number:012d}"


def _read_split(path: Path) -> dict[str, set[int]]:
    """Ids of each list."""
    found = {}
    with Members(path) as annotations:
        for split in _SPLITS:
            file = f"annotations/instances_{split}2014.json"
            text = annotations.read(file, _ANNOTATIONS)
            found[split] = read_image_ids(text, f"{path}/{file}")
    return found


def _read_images(path: Path, wanted: set[int]) -> tuple[dict[int, str], dict[int, CocoImage]]:
    """Categories and wanted images of both annotation files of 2017."""
    categories: dict[int, str] = {}
    images: dict[int, CocoImage] = {}
    with Members(path) as annotations:
        for split in _SPLITS:
            file = f"annotations/instances_{split}2017.json"
            text = annotations.read(file, _ANNOTATIONS)
            named, found = read_instances(text, f"{path}/{file}", wanted)
            if categories not in ({}, named):
                raise ValueError(f"{path}/{file}: other categories than in train")
            categories = named
            images |= found
    return categories, images


def _photograph(number: int, train: Members, val: Members) -> bytes:
    for folder, archive in (("train2017", train), ("val2017", val)):
        file = f"{folder}/{_name(number)}.jpg"
        if file in archive:
            return archive.read(file)
    raise ValueError(f"{train.path}, {val.path}: image {_name(number)}.jpg is in neither")


def _write_image(
    archive: zipfile.ZipFile,
    name: str,
    photograph: bytes,
    image: CocoImage,
    labels: Mapping[int, int],
    classes: Sequence[str],
) -> None:
    try:
        mask = draw_mask(image, labels)
    except ValueError as error:
        raise ValueError(f"image {name}: {error}") from None
    objects = [(classes[k], *box) for k, *box in voc.class_boxes(mask)]
    add_file(archive, f"{voc.IMAGES}/{name}.jpg", photograph)
    add_file(archive, f"{voc.MASKS}/{name}.png", encode_mask(mask))
    add_file(
        archive, f"{voc.ANNOTATIONS}/{name}.xml", voc.annotation_xml(name, mask.shape, objects)
    )
