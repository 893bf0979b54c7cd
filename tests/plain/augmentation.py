"""Colour shifts and normalisation, pixel by pixel."""

import numpy as np
from numpy.typing import NDArray

from hfpl.images.normalise import IMAGENET


def plain_shift(hsv: NDArray, shift: tuple[int, int, int]) -> NDArray:
    """Each pixel's hue wraps at 180; saturation and value clip."""
    out = np.zeros_like(hsv)
    for y, x in np.ndindex(hsv.shape[:2]):
        hue, saturation, value = (int(v) for v in hsv[y, x])
        out[y, x] = (
            (hue + shift[0]) % 180,
            min(255, max(0, saturation + shift[1])),
            min(255, max(0, value + shift[2])),
        )
    return out


def plain_normalised(image: NDArray) -> NDArray:
    """Each pixel minus the mean, by the deviation, float32."""
    out = np.zeros(image.shape, np.float32)
    for y, x in np.ndindex(image.shape[:2]):
        out[y, x] = [
            (v / 255 - m) / s
            for v, m, s in zip(image[y, x].tolist(), IMAGENET.mean, IMAGENET.std, strict=True)
        ]
    return out
