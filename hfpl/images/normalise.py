"""Colour statistics of what a network was trained on, and images normalised by them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class ColourStatistics:
    """Mean and deviation of red, green and blue, of images in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = ColourStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Those that torchvision's and most other published weights were trained with."""


def normalise(image: np.ndarray, statistics: ColourStatistics) -> np.ndarray:
    """RGB uint8 or float32 (h, w, 3) in [0, 255] → float32 (h, w, 3), mean 0, deviation 1."""
    scale, offset = _factors(statistics)
    return image.astype(np.float32) * scale + offset


@lru_cache
def _factors(statistics: ColourStatistics) -> tuple[np.ndarray, np.ndarray]:
    mean, std = np.array(statistics.mean), np.array(statistics.std)
    return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
