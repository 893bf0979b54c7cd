"""Label new photographs with a trained segmentation network: masks and overlays."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hfpl.images.decode import UNREADABLE, decode_image
from hfpl.images.palette import class_table, encode_mask
from hfpl.jobs.progress import track
from hfpl.stages.segment.photographs import Photograph, find_photographs
from hfpl.stages.segment.segmenter import Segmenter, draw_overlay
from hfpl.storage.atomic import replacing, write_text
from hfpl.storage.batch import Batch
from hfpl.storage.digest import file_digest

_MARK = "hfpl"
"""Text in a mask that says from what it was made."""
_JPEG_SIDE = 65_500
"""Longest side of a JPEG that every reader takes, in pixels."""


@dataclass(frozen=True)
class Settings:
    """How to label.

    Attributes:
        force: label finished photographs again.
        workers: processes of the refiner beside this one.
    """

    force: bool = False
    workers: int = 0


def label_photographs(
    segmenter: Segmenter, model: Path, given: Sequence[Path], out: Path, settings: Settings
) -> tuple[int, int]:
    """Write a mask and an overlay per photograph, and the classes' colours (classes.csv).

    A photograph that is finished is skipped: its mask says that it was made from the same file by
    the same model and settings. One that cannot be read is reported; the others are done.

    Args:
        segmenter: the model, ready.
        model: its file.
        given: files and folders of photographs.
        out: folder of the results.

    Returns:
        Numbers of photographs labelled and skipped.

    Raises:
        ValueError: the arguments do not hold, or, at the end, photographs could not be read or
            their results not written.
    """
    photographs = find_photographs(given, out)
    test, long_side = segmenter.test.model_dump(), segmenter.long_side
    made = json.dumps([file_digest([model]), test, segmenter.refines, long_side]).encode()
    write_text(out / "classes.csv", class_table(segmenter.model.classes))
    labelled = skipped = 0
    batch = Batch("photographs")
    with track("segment", len(photographs), "photographs") as advance:

        def unfinished() -> Iterator[tuple[tuple[Photograph, Image.Image, str], Image.Image]]:
            nonlocal skipped
            for photograph in photographs:
                image = None
                with batch.item(photograph.path, "not a readable photograph"):
                    content = photograph.path.read_bytes()
                    mark = hashlib.sha256(made + content).hexdigest()
                    finished = not settings.force and _finished(photograph, mark)
                    skipped += finished
                    image = None if finished else decode_image(content)
                if image is None:
                    advance()
                else:
                    yield (photograph, image, mark), image

        # A process takes a second to start.
        workers = min(settings.workers, len(photographs) - 1)
        for (photograph, image, mark), found in segmenter.labelled(unfinished(), workers):
            with batch.item(photograph.path, "not labelled"):
                if isinstance(found, Exception):
                    raise found
                _write(photograph, image, found.labels, mark)
                labelled += 1
            advance()
    batch.end(labelled + skipped, out)
    return labelled, skipped


def _write(photograph: Photograph, image: Image.Image, mask: np.ndarray, mark: str) -> None:
    """The mask last: with it a photograph is finished."""
    overlay = Image.fromarray(draw_overlay(np.asarray(image), mask))
    if max(overlay.size) > _JPEG_SIDE:  # A panorama; its mask keeps its size.
        overlay.thumbnail((_JPEG_SIDE, _JPEG_SIDE))
    with replacing(photograph.overlay) as temporary:
        overlay.save(temporary, "JPEG", quality=90)
    with replacing(photograph.mask) as temporary:
        temporary.write_bytes(encode_mask(mask, {_MARK: mark}))


def _finished(photograph: Photograph, mark: str) -> bool:
    if not (photograph.overlay.is_file() and photograph.mask.is_file()):
        return False
    try:
        with Image.open(photograph.mask) as mask:
            return mask.info.get(_MARK) == mark
    except UNREADABLE:
        return False
