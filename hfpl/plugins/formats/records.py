"""Records of images and masks, and the manifests of a split."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hfpl.images.decode import UNREADABLE, decode_image, image_size
from hfpl.images.palette import IGNORE, decode_mask, mask_palette
from hfpl.plugins.formats.class_names import check_classes
from hfpl.plugins.formats.plausible import MaskLook, look_at
from hfpl.storage.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    shard_of,
    write_manifest,
)
from hfpl.storage.reading import ImageRoot


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
) -> ImageRecord:
    """Record of an image that was decoded whole, at the size it is shrunk to.

    Raises:
        ValueError: the file is missing, no image, or damaged; the message names it.
    """
    content = root.read(file)
    try:
        width, height = decode_image(content, max_side).size
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable image: {error}") from None
    return ImageRecord(image_id, file, height, width, tags, hashlib.sha256(content).hexdigest())


def mask_record(
    root: ImageRoot,
    image: ImageRecord,
    file: str,
    num_classes: int,
    labels: tuple[int, ...] | None = None,
) -> tuple[MaskRecord, MaskLook]:
    """Record of the mask of an image, and what is seen of it.

    Args:
        num_classes: C of the file's labels, background included.
        labels: which label each class of the data set has in the file; None: 1 to K.

    Raises:
        ValueError: the file is missing, no label map, of the size neither of the image's file nor
            of its record, or has unknown labels.
    """
    content = root.read(file)
    try:
        mask, palette = decode_mask(content), mask_palette(content)
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable mask: {error}") from None
    if mask.shape != (image.height, image.width):
        height, width = image_size(root.read(image.file))
        if mask.shape != (height, width):
            raise ValueError(
                f"{root.root}/{file}: {mask.shape[1]}x{mask.shape[0]} pixels, "
                f"its image {width}x{height}"
            )
    if (unknown := mask[(mask >= num_classes) & (mask != IGNORE)]).size:
        raise ValueError(
            f"{root.root}/{file}: label {unknown.min()}, but there are {num_classes - 1} classes; "
            f"labels are 0 for background, 1 to {num_classes - 1} for the classes in their order, "
            f"{IGNORE} for what is not scored"
        )
    plain = tuple(range(1, num_classes))
    own = () if labels is None or labels == plain else labels
    record = MaskRecord(image.id, file, hashlib.sha256(content).hexdigest(), own)
    return record, look_at(file, image, mask, palette, labels or plain)


def write_split(whole: Manifest, manifests: Sequence[Path]) -> None:
    """Write the manifests of a split, one per shard.

    Raises:
        ValueError: its classes cannot be, or cannot be told apart.
    """
    check_classes(whole.classes, f"data set '{whole.dataset}'")
    shards: list[list[ImageRecord]] = [[] for _ in manifests]
    for image in whole.images:
        shards[shard_of(image.id, len(manifests))].append(image)
    for path, images in zip(manifests, shards, strict=True):
        write_manifest(path, Manifest(whole.dataset, whole.split, whole.classes, tuple(images)))
