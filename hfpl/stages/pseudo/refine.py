"""Confident foreground and background scores: the CAMs of a shard, refined at two background
powers."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.plugins.refiners import build_refiner
from hfpl.plugins.refiners.interface import Refiner, check_scores
from hfpl.stages.cam.calibrate import Cams
from hfpl.storage.manifest import ImageRecord, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard

BACKGROUND_CHANNEL = 0
"""First channel of the refined scores; class k of the tags is named k + 1."""


def refine_shard(
    settings: Settings,
    *,
    images: Path,
    manifest: Path,
    cams: Path,
    calibration: Path | None = None,
    low: Path,
    high: Path,
) -> str:
    """Write the scores at the low and at the high background power; what was done, in words.

    Raises:
        ValueError: an image or its CAMs cannot be read.
    """
    records, pseudo = read_manifests([manifest]).images, settings.pseudo
    refiner = build_refiner(pseudo.refiner, pseudo[pseudo.refiner].as_dict())
    alphas = {low: pseudo.alpha_low, high: pseudo.alpha_high}
    root, source, name = ImageRoot(images), Cams([cams], calibration), f"pseudo {manifest.stem}"
    refine_images(name, records, root, source, alphas, refiner, pseudo.scale)
    return f"{len(records)} images of {manifest.stem}"


def refine_images(
    name: str,
    records: Sequence[ImageRecord],
    root: ImageRoot,
    source: Cams,
    alphas: Mapping[Path, float],
    refiner: Refiner,
    scale: float,
) -> None:
    """Write a shard of refined scores for each background power.

    Args:
        name: that progress is shown under.
        alphas: file to write → background power.
        scale: as :func:`pseudo_label_scores`.
    """
    with ExitStack() as stack:
        shards = [stack.enter_context(write_shard(file, counts_from=1)) for file in alphas]
        advance = stack.enter_context(track(name, len(records), "images"))
        for record in records:
            classes, scores = source.of(record)
            pixels = np.asarray(root.image(record))
            refined = pseudo_label_scores(pixels, scores, list(alphas.values()), refiner, scale)
            channels = [BACKGROUND_CHANNEL, *(k + 1 for k in classes)]
            for shard, result in zip(shards, refined, strict=True):
                shard.add_scores(record.id, channels, result)
            advance()


def pseudo_label_scores(
    image: NDArray[np.uint8],
    cams: NDArray[np.float32],
    alphas: Sequence[float],
    refiner: Refiner,
    scale: float = 1.0,
) -> list[NDArray[np.float32]]:
    """Refined scores of an image's classes, once for each background power
    (docs/method.md, 3).

    What is refined are the scores [(1 - max_k cam_k)^alpha, cam_1 .. cam_m].

    Args:
        image: (h, w, 3) uint8 RGB.
        cams: (m, h, w) normalised maps of the classes present, at most 1; m may be 0.
        alphas: background powers; a small one gives confident foreground, a large one confident
            background.
        scale: share of the image's sides that the refiner works at; its scores are enlarged again,
            bilinearly.

    Returns:
        For each power (m + 1, h, w) float32, background first. Without any class these are ones
        (1, h, w), and nothing is refined.

    Raises:
        ValueError: wrong shapes or dtype, maps not finite or above 1, a power not positive.
    """
    check_scores(image, cams, "cams")
    for alpha in alphas:
        if not alpha > 0:
            raise ValueError(f"background powers must be positive, got {alpha}")
    if len(cams) == 0:
        return [np.ones((1, *image.shape[:2]), np.float32) for _ in alphas]
    cams = cams.astype(np.float32, copy=False)
    background = 1 - cams.max(axis=0)
    if background.min() < 0:
        raise ValueError(f"cams must be at most 1, got {cams.max()}")
    stacks = [np.concatenate([background[None] ** alpha, cams]) for alpha in alphas]
    if scale == 1:
        return refiner.refine(image, stacks)
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    refined = refiner.refine(small, [_resized(stack, size, cv2.INTER_AREA) for stack in stacks])
    return [_resized(stack, image.shape[1::-1], cv2.INTER_LINEAR) for stack in refined]


def _resized(
    scores: NDArray[np.float32], size: tuple[int, int], interpolation: int
) -> NDArray[np.float32]:
    """Scores (C, h, w) at another width and height, one class at a time: OpenCV takes few."""
    return np.stack([cv2.resize(map_, size, interpolation=interpolation) for map_ in scores])
