"""Manifests: which images belong to a shard of a split, and which masks score them.

Images and masks have manifests of their own, so that a changed mask re-runs the evaluation and
no training. Each entry carries a hash: a changed file changes its manifest, and so it is seen.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field

from hfpl.storage.atomic import write_json
from hfpl.storage.schema import read_as

SPLITS = ("train", "val")
"""``train``: what is trained on (VOC: trainaug). ``val``: what is held out."""


def _inside(file: str) -> str:
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or "\0" in file:
        raise ValueError("leads out of the data set")
    return file


BelowRoot = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Pixels = Annotated[int, Field(ge=1, le=1_000_000)]
Label = Annotated[int, Field(ge=0, le=255)]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image.

    Attributes:
        id: file name without its ending, unique in the data set.
        file: path below the data set's root, with forward slashes.
        height, width: in pixels.
        tags: classes of the image-level label, counted from 0 without background, ascending.
        sha256: of the file; empty where it is not known, and not checked then.
    """

    __pydantic_config__: ClassVar = _STRICT

    id: str
    file: BelowRoot
    height: Pixels
    width: Pixels
    tags: tuple[Label, ...]
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """The ground truth of one scored image; fields as in :class:`ImageRecord`.

    Attributes:
        labels: which label each class has in the file, where it holds others too; empty: 1 to K.
        png: of a mask that was drawn of the regions in its file: the mask, in base64.
    """

    __pydantic_config__: ClassVar = _STRICT

    id: str
    file: BelowRoot
    sha256: Sha256
    labels: tuple[Label, ...] = ()
    png: Annotated[str, Field(max_length=2**26)] = ""


@dataclass(frozen=True)
class Manifest:
    """Images of one or several shards, and the names of the data set's foreground classes."""

    __pydantic_config__: ClassVar = _STRICT

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
    optional = ("labels", "png")
    entries = ({k: v for k, v in asdict(m).items() if k not in optional or v} for m in masks)
    write_json(path, {"masks": list(entries)})


def read_manifests(paths: Iterable[str | Path]) -> Manifest:
    """Read manifests of one split and join them, images sorted by id.

    Raises:
        ValueError: no file, a malformed file, or manifests of different data sets.
    """
    parts = [read_as(Manifest, path, "a manifest") for path in paths]
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
    parts = (read_as(_Masks, path, "a list of masks") for path in paths)
    return {record.id: record for part in parts for record in part.masks}


@dataclass(frozen=True)
class _Masks:
    """What a manifest of masks holds."""

    __pydantic_config__: ClassVar = _STRICT

    masks: tuple[MaskRecord, ...]
