"""Calibrated CAMs: raised to a power, so that the same share of pixels lies above a threshold
(docs/method.md, 2.1).

The CAMs of different methods and networks lie differently, while a threshold, and the background
powers behind it, are numbers chosen once. A power changes no order within an image; it makes the
CAMs of every run fit these numbers, without any mask.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.storage.atomic import read_json, write_json
from hfpl.storage.manifest import ImageRecord, read_manifests
from hfpl.storage.shards import Shards

LEVELS = 200
"""Steps of the histogram: those that shards store."""
_SMALLEST, _LARGEST = 0.1, 10.0
"""Bounds of the exponent. A network that learned nothing must not make any map fit."""


def calibrate_cams(
    settings: Settings, *, manifests: Sequence[Path], cams: Sequence[Path], calibration: Path
) -> str:
    """Write the exponent for the CAMs of a run, found on its training images; what was found.

    Raises:
        ValueError: the CAMs cannot be read, or no image has a tag.
    """
    chosen = settings.cam.calibration
    images, source = read_manifests(manifests).images, Cams(cams, None)
    shares = np.zeros(LEVELS)
    with track("cam calibrate", len(images), "images") as advance:
        for record in images:
            if record.tags:
                shares += level_shares(source.of(record)[1])
            advance()
    if not shares.any():
        raise ValueError("no training image has a tag: there are no CAMs to calibrate")
    found = exponent(shares, chosen.foreground, chosen.threshold)
    write_json(calibration, {"exponent": found})
    return f"exponent {found:.3f}"


def level_shares(cams: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of an image's pixels at each level of their largest CAM, (LEVELS,), of sum 1.

    Args:
        cams: (m, h, w) in [0, 1], m > 0.
    """
    largest = np.minimum((cams.max(axis=0) * LEVELS).astype(int), LEVELS - 1)
    return np.bincount(largest.ravel(), minlength=LEVELS) / largest.size


def exponent(shares: NDArray[np.float64], foreground: float, threshold: float) -> float:
    """The power that puts a threshold where a share of the pixels lies above it.

    Args:
        shares: weight of each level, of any sum; level k holds CAMs in [k, k + 1) / LEVELS.
        foreground: share of the pixels that shall exceed the threshold, in (0, 1).
        threshold: in (0, 1).

    Returns:
        e with q^e = threshold, q the CAM that this share exceeds; in [0.1, 10].
    """
    above = np.concatenate([[0.0], np.cumsum(shares / shares.sum())])
    quantile = np.interp(1 - foreground, above, np.arange(LEVELS + 1) / LEVELS)
    quantile = np.clip(quantile, 0.5 / LEVELS, 1 - 0.5 / LEVELS)
    return float(np.clip(np.log(threshold) / np.log(quantile), _SMALLEST, _LARGEST))


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


def _read_exponent(calibration: Path) -> float:
    try:
        return float(read_json(calibration)["exponent"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{calibration}: holds no exponent of CAMs: {error}") from None
