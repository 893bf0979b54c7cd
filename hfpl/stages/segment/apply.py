"""Label new photographs with a trained segmentation network: masks and overlays."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hfpl.images.decode import UNREADABLE, decode_image, shrunk_size
from hfpl.images.palette import class_table, colour_mask, encode_mask
from hfpl.jobs.progress import track
from hfpl.numerics import Runtime
from hfpl.plugins.refiners import build_refiner
from hfpl.stages.segment.model import Model, load_model
from hfpl.stages.segment.params import SegmentTest
from hfpl.stages.segment.photographs import Photograph, find_photographs
from hfpl.stages.segment.test import class_probabilities
from hfpl.storage.atomic import replacing, write_text
from hfpl.storage.batch import Batch
from hfpl.storage.digest import file_digest

_MARK = "hfpl"
"""Text in a mask that says from what it was made."""
_TINT = 0.55
"""Share of the class's colour in an overlay."""

_JPEG_SIDE = 65_500
"""Longest side of a JPEG that every reader takes, in pixels."""


@dataclass(frozen=True)
class Settings:
    """How to label.

    Attributes:
        refine: refine the network's scores.
        force: label finished photographs again.
        test: scales and refiner in place of the model's, or None.
        long_side: photographs with a longer side are shrunk for the network, in pixels; None: to
            the largest training image, whose scale the network knows.
    """

    refine: bool = True
    force: bool = False
    test: SegmentTest | None = None
    long_side: int | None = None


def label_photographs(
    path: Path, given: Sequence[Path], out: Path, settings: Settings, runtime: Runtime
) -> tuple[int, int]:
    """Write a mask and an overlay per photograph, and the classes' colours (classes.csv).

    A photograph that is finished is skipped: its mask says that it was made from the same file by
    the same model and settings. One that cannot be read is reported; the others are done.

    Args:
        path: model.
        given: files and folders of photographs.
        out: folder of the results.

    Returns:
        Numbers of photographs labelled and skipped.

    Raises:
        ValueError: the model or the arguments do not hold, or, at the end, photographs could not
            be read or their results not written.
    """
    photographs = find_photographs(given, out)
    model = load_model(path, runtime)
    test = settings.test or model.test
    long_side = settings.long_side or model.long_side
    made = json.dumps([file_digest([path]), test.model_dump(), settings.refine, long_side]).encode()
    write_text(out / "classes.csv", class_table(model.classes))
    labelled = skipped = 0
    batch = Batch("photographs")
    with track("segment", len(photographs), "photographs") as advance:
        for photograph in photographs:
            image = None
            with batch.item(photograph.path, "not a readable photograph"):
                content = photograph.path.read_bytes()
                mark = hashlib.sha256(made + content).hexdigest()
                finished = not settings.force and _finished(photograph, mark)
                skipped += finished
                image = None if finished else decode_image(content)
            if image is not None:
                with batch.item(photograph.path, "not labelled"):
                    mask = label_image(model, image, test, settings.refine, long_side, runtime)
                    _write(photograph, image, mask, mark)
                    labelled += 1
            advance()
    batch.end(labelled + skipped, out)
    return labelled, skipped


def label_image(
    model: Model,
    image: Image.Image,
    test: SegmentTest,
    refine: bool,
    long_side: int,
    runtime: Runtime,
) -> np.ndarray:
    """Label map, uint8 (h, w), of an RGB image, at its size."""
    size = shrunk_size(image.size, long_side)
    small = image if size == image.size else image.resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(small)
    scores = class_probabilities(model.network, pixels, test.scales, runtime)
    if refine:
        refiner = build_refiner(test.refiner, test.model_dump()[test.refiner])
        (scores,) = refiner.refine(pixels, [scores])
    return enlarged_labels(scores, (image.height, image.width))


def enlarged_labels(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The class with the largest score at each position of a larger map.

    Shape:
        scores: float32 (C, h, w); enlarged bilinearly, one class at a time to spare memory.
        size: height and width of the result, uint8.
    """
    if scores.shape[1:] == size:
        return scores.argmax(0).astype(np.uint8)
    labels = np.zeros(size, np.uint8)
    best = np.full(size, -np.inf, np.float32)
    for label, map_ in enumerate(scores):
        large = cv2.resize(map_, size[::-1], interpolation=cv2.INTER_LINEAR)
        labels[large > best] = label
        np.maximum(best, large, out=best)
    return labels


def draw_overlay(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The photograph, uint8 (h, w, 3), tinted in the palette's colour where a class was found."""
    tinted = cv2.addWeighted(colour_mask(mask), _TINT, pixels, 1 - _TINT, 0)
    return np.where((mask > 0)[..., None], tinted, pixels)


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
