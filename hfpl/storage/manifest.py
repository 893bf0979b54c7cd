"""Manifests: which images belong to a shard of a split, and which masks score them.

Images and masks have manifests of their own, so that a changed mask re-runs the evaluation and
no training. Each entry carries a hash: a changed file changes its manifest, and so it is seen.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hfpl.storage.atomic import read_json, write_json

SPLITS = ("train", "val")
"""``train``: what is trained on (VOC: trainaug). ``val``: what is held out."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image.

    Attributes:
        id: file name without its ending, unique in the data set.
        file: path below the data set's root, with forward slashes.
        height, width: in pixels.
        tags: classes of the image-level label, counted from 0 without background, ascending.
        sha256: of the file.
    """

    id: str
    file: str
    height: int
    width: int
    tags: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """The ground truth of one scored image; fields as in :class:`ImageRecord`.

    Attributes:
        labels: which label each class has in the file, where it holds others too; empty: 1 to K.
    """

    id: str
    file: str
    sha256: str
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """Images of one or several shards, and the names of the data set's foreground classes."""

    dataset: str
    split: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]


def shard_of(image_id: str, shards: int) -> int:
    """Shard of an image, in [0, shards): a stable hash, so that a new image touches one shard."""
    return int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big") % shards


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write the images of one shard."""
    write_json(path, asdict(manifest))


def write_masks(path: str | Path, masks: Sequence[MaskRecord]) -> None:
    """Write the scored images of one shard."""
    entries = ({k: v for k, v in asdict(mask).items() if k != "labels" or v} for mask in masks)
    write_json(path, {"masks": list(entries)})


def read_manifests(paths: Iterable[str | Path]) -> Manifest:
    """Read manifests of one split and join them, images sorted by id.

    Raises:
        ValueError: no file, a malformed file, or manifests of different data sets.
    """
    parts = [_read_manifest(path) for path in paths]
    if not parts:
        raise ValueError("no manifest given")
    first = parts[0]
    if any(
        (p.dataset, p.split, p.classes) != (first.dataset, first.split, first.classes)
        for p in parts
    ):
        raise ValueError("manifests belong to different data sets, splits or classes")
    images = sorted((image for part in parts for image in part.images), key=lambda i: i.id)
    return Manifest(first.dataset, first.split, first.classes, tuple(images))


def read_masks(paths: Iterable[str | Path]) -> dict[str, MaskRecord]:
    """Read the scored images of one or several shards, by id."""
    found = {}
    for path in paths:
        try:
            records = [
                MaskRecord(**{**mask, "labels": tuple(mask.get("labels", ()))})
                for mask in read_json(path)["masks"]
            ]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a list of masks: {error}") from None
        found.update({record.id: record for record in records})
    return found


def _read_manifest(path: str | Path) -> Manifest:
    content = read_json(path)
    try:
        images = tuple(ImageRecord(**{**i, "tags": tuple(i["tags"])}) for i in content["images"])
        return Manifest(content["dataset"], content["split"], tuple(content["classes"]), images)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a manifest: {error}") from None
