"""Random changes of training images; every function draws from the generator it is given."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from hfpl.images.normalise import ColourStatistics, normalise


class ColourJitter(Protocol):
    """Strengths of random colour changes; each factor is drawn from 1 ± value."""

    brightness: float
    contrast: float
    saturation: float
    hue: float


def resize_long_side(image: Image.Image, length: int) -> Image.Image:
    """Resize so that the long side has ``length`` pixels; bicubic, antialiased when shrinking."""
    # Multiplied first: a quotient's rounding error would decide a side that ends in a half.
    width, height = (max(1, round(side * length / max(image.size))) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def jitter_colours(
    image: Image.Image, rng: np.random.Generator, settings: ColourJitter
) -> Image.Image:
    """Change brightness, contrast, saturation and hue by random amounts in random order."""
    shares = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
    amounts = [rng.uniform(-share, share) for share in shares]
    for kind in rng.permutation(4):
        if kind == 3:
            image = _shift_hue(image, amounts[3])
        else:
            image = _ENHANCE[kind](image).enhance(1 + amounts[kind])
    return image


_ENHANCE = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def _shift_hue(image: Image.Image, share: float) -> Image.Image:
    if round(share * 255) == 0:
        return image
    hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(round(share * 255) % 256)  # wraps, as the circle does
    return Image.fromarray(hsv, "HSV").convert("RGB")


def shift_hsv(image: np.ndarray, rng: np.random.Generator, limit: int) -> np.ndarray:
    """Shift hue, saturation and value by whole numbers in ±limit.

    Args:
        image: RGB uint8 (h, w, 3); 8-bit HSV has hues 0 to 179, which wrap; the others clip.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv += rng.integers(-limit, limit + 1, 3).astype(np.int16)
    hsv[..., 0] %= 180
    return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)


def random_crop(
    arrays: Sequence[tuple[np.ndarray, float]], size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Cut the same random square out of several arrays of equal height and width.

    Args:
        arrays: each with the value that fills what lies outside of it; (h, w) or (h, w, c).
        size: side of the square; a smaller image lies at a random place in it.
    """
    height, width = arrays[0][0].shape[:2]
    top, into_top, rows = _place(height, size, rng)
    left, into_left, columns = _place(width, size, rng)
    cut = []
    for array, fill in arrays:
        out = np.full((size, size, *array.shape[2:]), fill, array.dtype)
        out[into_top : into_top + rows, into_left : into_left + columns] = array[
            top : top + rows, left : left + columns
        ]
        cut.append(out)
    return cut


def random_normalised_crop(
    image: np.ndarray,
    size: int,
    rng: np.random.Generator,
    statistics: ColourStatistics,
    others: Sequence[tuple[np.ndarray, float]] = (),
) -> list[np.ndarray]:
    """Random crop of an RGB uint8 image, normalised; what lies outside is 0 after normalising.

    Equal to normalising the whole image and cropping it, without the pixels that are cut off.

    Args:
        image: (h, w, 3) uint8.
        size, rng: as :func:`random_crop`.
        statistics: of the network's colours.
        others: arrays that the same square is cut out of, as for :func:`random_crop`.

    Returns:
        The crops of the image, float32 (size, size, 3), and of the other arrays.
    """
    covered = np.ones(image.shape[:2], bool)
    pixels, covered, *cut = random_crop([(image, 0), (covered, False), *others], size, rng)
    normal = normalise(pixels, statistics)
    if not covered.all():
        normal[~covered] = 0
    return [normal, *cut]


def _place(length: int, size: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Start in the image, start in the crop, and length of what they share, along one axis."""
    spare = length - size
    if spare > 0:
        return int(rng.integers(spare + 1)), 0, size
    return 0, int(rng.integers(-spare + 1)), length
