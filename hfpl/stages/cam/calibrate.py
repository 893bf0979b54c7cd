"""Calibrated CAMs: raised to a power that moves the threshold they ask for to a fixed one
(docs/method.md, 2.1).

The CAMs of different methods and networks lie differently, while a threshold, and the background
powers behind it, are numbers chosen once. A power changes no order within an image; it makes the
CAMs of every run fit these numbers. Which threshold they ask for, the photographs' colours say: no
mask is looked at.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hfpl.images.decode import shrunk_size
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.storage.atomic import read_json, write_json
from hfpl.storage.manifest import ImageRecord, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards

LEVELS = 200
"""Thresholds that are compared: the levels that shards store."""
WEIGHT = 0.6
"""Exponent of the areas' weight p (1 - p); Otsu's is 1, which prefers halves of the image."""
SHARE, SPREAD = 0.35, 2.0
"""Share of an image's pixels that objects take on the mean, and how far, in log odds, data sets may
lie from it."""
_SIDE = 128
"""Longer side of what colours are compared on, in pixels."""
_NOISE = 4.0
"""Variance, in squared steps of CIELAB's 8 bits, below which colours say nothing."""
_SMOOTH = 5
"""Levels that the sum over images is averaged over: each image alone is rough."""
_SMALLEST, _LARGEST = 0.1, 10.0
"""Bounds of the exponent. A network that learned nothing must not make any map fit."""


def calibrate_cams(
    settings: Settings,
    *,
    images: Path,
    manifests: Sequence[Path],
    cams: Sequence[Path],
    calibration: Path,
) -> str:
    """Write the exponent for the CAMs of a run, found on its training images; what was found.

    Raises:
        ValueError: an image or its CAMs cannot be read, or no image has a tag.
    """
    records = [record for record in read_manifests(manifests).images if record.tags]
    if not records:
        raise ValueError("no training image has a tag: there are no CAMs to calibrate")
    found = find_threshold(records, ImageRoot(images), Cams(cams, None))
    power = exponent(found, settings.cam.calibration.threshold)
    write_json(calibration, {"threshold": found, "exponent": power})
    return f"threshold {found:.3f}, exponent {power:.3f}"


def find_threshold(records: Sequence[ImageRecord], root: ImageRoot, source: "Cams") -> float:
    """Threshold that the CAMs of tagged images ask for, in (0, 1)."""
    total, above = np.zeros(LEVELS), np.zeros(LEVELS)
    with track("cam calibrate", len(records), "images") as advance:
        for record in records:
            cam = source.of(record)[1].max(axis=0)
            total += separations(np.asarray(root.image(record)), cam)
            above += shares(cam)
            advance()
    return best_threshold(total * likelihood(above / len(records)))


def shares(cam: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of a map's pixels above each threshold, (LEVELS,), entry k of (k + 1) / LEVELS.

    Args:
        cam: (h, w) in [0, 1], the largest of the image's classes.
    """
    levels = np.minimum((cam.ravel() * LEVELS).astype(int), LEVELS - 1)
    return _above(np.bincount(levels, minlength=LEVELS)[None])[0] / levels.size


def likelihood(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely objects take a share of the images on the mean, (LEVELS,) in [0, 1].

    Normal in log odds and so broad that it decides nothing where colours do: half as much costs a
    tenth, twice as much a quarter. It keeps maps whose peaks lie on the most telling parts from
    being cut off around those.
    """
    odds = np.clip(share, 1e-4, 1 - 1e-4)
    apart = np.log(odds / (1 - odds)) - np.log(SHARE / (1 - SHARE))
    return np.exp(-(apart**2) / (2 * SPREAD**2))


def separations(image: NDArray[np.uint8], cam: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far apart the colours above and below each threshold of a map lie.

    With p the share of the pixels above the threshold, and d the difference of the mean colours
    above and below it, in units of the image's own spread of colours (Mahalanobis), it is
    (p (1 - p))^0.6 |d|^2. Colours are CIELAB's.

    Args:
        image: RGB uint8 (h, w, 3).
        cam: (h, w) in [0, 1], the largest of the image's classes.

    Returns:
        (LEVELS,), entry k of the threshold (k + 1) / LEVELS; 0 where one side is empty.
    """
    size = shrunk_size(image.shape[1::-1], _SIDE)
    lab = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    small = cv2.resize(cam, size, interpolation=cv2.INTER_AREA)
    colours = lab.reshape(-1, 3).astype(np.float64)
    colours -= colours.mean(axis=0)
    spread = colours.T @ colours / len(colours) + _NOISE * np.eye(3)
    plain = np.linalg.solve(np.linalg.cholesky(spread), colours.T)
    levels = np.clip((small.ravel() * LEVELS).astype(int), 0, LEVELS - 1)
    sums = np.stack([np.bincount(levels, channel, LEVELS) for channel in plain])
    above = _above(sums) / levels.size
    share = _above(np.bincount(levels, minlength=LEVELS)[None])[0] / levels.size
    # The mean over all is zero: |d| = |sum above / n| / (p (1 - p)).
    areas = share * (1 - share)
    inside = areas > 0
    found = np.zeros(LEVELS)
    found[inside] = (above[:, inside] ** 2).sum(axis=0) / areas[inside] ** (2 - WEIGHT)
    return found


def best_threshold(total: NDArray[np.float64]) -> float:
    """Threshold in (0, 1) of the largest of a smoothed sum over images, (LEVELS,)."""
    smooth = np.convolve(total, np.ones(_SMOOTH) / _SMOOTH, mode="same")
    return (int(smooth[:-1].argmax()) + 1) / LEVELS


def exponent(found: float, threshold: float) -> float:
    """Power that moves a threshold to another, in [0.1, 10]: found^exponent = threshold.

    Args:
        found, threshold: in (0, 1).
    """
    return float(np.clip(np.log(threshold) / np.log(found), _SMALLEST, _LARGEST))


class Cams:
    """CAMs in shards, calibrated.

    Args:
        shards: of one or several splits.
        calibration: file that :func:`calibrate_cams` wrote; None: CAMs as they are.

    Raises:
        ValueError: a file cannot be read.
    """

    def __init__(self, shards: Sequence[Path], calibration: Path | None) -> None:
        self._shards = Shards(shards)
        self._exponent = 1.0 if calibration is None else _read_exponent(calibration)

    def of(self, record: ImageRecord) -> tuple[list[int], NDArray[np.float32]]:
        """Classes of an image, counted from 0, and their maps, (m, h, w) in [0, 1].

        Raises:
            ValueError: the image has none, or they cannot be read.
        """
        size = (record.height, record.width)
        classes, cams = self._shards.scores(record.id, size, counts_from=0)
        return classes, cams if self._exponent == 1 else cams ** np.float32(self._exponent)


def _above(counts: NDArray) -> NDArray:
    """Sums over the levels above each, (channels, LEVELS)."""
    return counts.sum(axis=1, keepdims=True) - np.cumsum(counts, axis=1)


def _read_exponent(calibration: Path) -> float:
    try:
        return float(read_json(calibration)["exponent"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{calibration}: holds no exponent of CAMs: {error}") from None
