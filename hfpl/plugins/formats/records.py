"""Records of images and masks, and the manifests of a split."""

import base64
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hfpl.images.decode import UNREADABLE, damage, decode_image, image_size
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

logger = logging.getLogger(__name__)


def image_record(
    root: ImageRoot,
    image_id: str,
    file: str,
    tags: tuple[int, ...],
    max_side: int | None = None,
) -> tuple[ImageRecord, str | None]:
    """Record of an image that was decoded whole, and what is wrong with it, if anything.

    Args:
        max_side: it is recorded at the size that it is shrunk to.

    Raises:
        ValueError: the file is missing, no image, or cut off; the message names it.
    """
    content = root.read(file)
    try:
        width, height = decode_image(content, max_side).size
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable image: {error}") from None
    digest = hashlib.sha256(content).hexdigest()
    return ImageRecord(image_id, file, height, width, tags, digest), damage(content)


@dataclass(frozen=True)
class Wanted:
    """An image to be recorded; fields as of :func:`image_record`."""

    id: str
    file: str
    tags: tuple[int, ...]


def image_records(
    root: ImageRoot,
    wanted: Iterable[Wanted],
    advance: Callable[[], None] = lambda: None,
    max_side: int | None = None,
) -> list[ImageRecord]:
    """Records of images, in their order, decoded by as many threads as there are cores.

    What decoders find wrong is named in a line.

    Args:
        advance: called after each.
        max_side: as of :func:`image_record`.

    Raises:
        ValueError: as of :func:`image_record`, of the first that is wrong.
    """
    found, damaged = [], []
    with ThreadPoolExecutor() as threads:
        work = (
            threads.submit(image_record, root, one.id, one.file, one.tags, max_side)
            for one in wanted
        )
        for done in _a_few_at_a_time(work):
            record, problem = done.result()
            found.append(record)
            damaged += [f"{record.file}: {problem}"] if problem else []
            advance()
    if damaged:
        more = "; …" if len(damaged) > 3 else ""
        logger.warning(
            "data index: warning: %d images are damaged and were decoded as far as they go (%s%s)",
            len(damaged),
            "; ".join(damaged[:3]),
            more,
        )
    return found


def _a_few_at_a_time(work: Iterable[Future]) -> Iterator[Future]:
    """Futures in their order; a few run ahead, so that a mistake ends soon and little is held."""
    waiting: deque[Future] = deque()
    for one in work:
        waiting.append(one)
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


_AHEAD = 16


@dataclass(frozen=True)
class DrawnMask:
    """A mask that lies in no file of its own: it is drawn of what an annotation file says.

    Attributes:
        file: the annotation file.
        png: the mask.
    """

    file: str
    png: bytes


def mask_record(
    root: ImageRoot,
    image: ImageRecord,
    source: str | DrawnMask,
    num_classes: int,
    labels: tuple[int, ...] | None = None,
) -> tuple[MaskRecord, MaskLook]:
    """Record of the mask of an image, and what is seen of it.

    Args:
        source: its file, or the mask itself.
        num_classes: C of the file's labels, background included.
        labels: which label each class of the data set has in the file; None: 1 to K.

    Raises:
        ValueError: the file is missing, no label map, of the size neither of the image's file nor
            of its record, or has unknown labels.
    """
    drawn = isinstance(source, DrawnMask)
    file = source.file if drawn else source
    content = source.png if drawn else root.read(file)
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
    inline = base64.b64encode(content).decode() if drawn else ""
    record = MaskRecord(image.id, file, hashlib.sha256(content).hexdigest(), own, inline)
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
