"""Records of images and masks for the manifests, and the manifests of a split."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hfpl.images.decode import UNREADABLE, decode_image, image_size
from hfpl.images.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    shard_of,
    write_manifest,
    write_masks,
)
from hfpl.images.palette import IGNORE, decode_mask
from hfpl.images.reading import ImageRoot


def image_record(root: ImageRoot, image_id: str, file: str, tags: tuple[int, ...]) -> ImageRecord:
    """Record of an image at its full size, of which the header alone is read.

    Raises:
        ValueError: the file is missing or no image; the message names it.
    """
    content = root.read(file)
    try:
        height, width = image_size(content)
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable image: {error}") from None
    return ImageRecord(image_id, file, height, width, tags, hashlib.sha256(content).hexdigest())


def shrunk_record(
    root: ImageRoot, image_id: str, file: str, tags: tuple[int, ...], max_side: int
) -> tuple[ImageRecord, tuple[int, int]]:
    """Record of an image that was decoded whole, and the height and width it was shrunk from.

    Raises:
        ValueError: the file is missing, no image, or damaged; the message names it.
    """
    content = root.read(file)
    try:
        full = image_size(content)
        width, height = decode_image(content, max_side).size
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable image: {error}") from None
    digest = hashlib.sha256(content).hexdigest()
    return ImageRecord(image_id, file, height, width, tags, digest), full


def mask_record(
    root: ImageRoot, image_id: str, file: str, size: tuple[int, int], num_classes: int | None = None
) -> MaskRecord:
    """Record of the mask of an image.

    Args:
        size: height and width that it must have.
        num_classes: C, background included; where given, the labels are checked too.

    Raises:
        ValueError: the file is missing, no label map, of another size, or has unknown labels.
    """
    content = root.read(file)
    try:
        mask = decode_mask(content)
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable mask: {error}") from None
    if mask.shape != size:
        raise ValueError(
            f"{root.root}/{file}: {mask.shape[1]}x{mask.shape[0]} pixels, "
            f"its image {size[1]}x{size[0]}"
        )
    if num_classes is not None and (unknown := mask[(mask >= num_classes) & (mask != IGNORE)]).size:
        raise ValueError(
            f"{root.root}/{file}: label {unknown.min()}, but there are {num_classes - 1} classes; "
            f"labels are 0 for background, 1 to {num_classes - 1} for the classes in their order, "
            f"{IGNORE} for what is not scored"
        )
    return MaskRecord(image_id, file, hashlib.sha256(content).hexdigest())


def write_split(
    whole: Manifest, truths: Sequence[MaskRecord], manifests: list[Path], masks: list[Path]
) -> None:
    """Write the manifests and the mask manifests of a split, one of each per shard."""
    shards = len(manifests)
    if len(masks) != shards:
        raise ValueError(
            f"{whole.split}: {shards} manifests and {len(masks)} mask manifests to write"
        )
    for k in range(shards):
        images = tuple(i for i in whole.images if shard_of(i.id, shards) == k)
        write_manifest(manifests[k], Manifest(whole.dataset, whole.split, whole.classes, images))
        write_masks(masks[k], [m for m in truths if shard_of(m.id, shards) == k])
