"""Changes of training images against loops over pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_close, assert_equal
from hfpl.images.augment import random_crop, random_normalised_crop, shift_hsv
from hfpl.images.normalise import IMAGENET
from tests.plain.augmentation import plain_normalised, plain_shift

LIMIT, CROP = 10, 448


def _prepare(small: bool) -> tuple[NDArray]:
    size = (12, 16) if small else (375, 500)
    return (np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8),)


def _plain_shift(image: NDArray) -> NDArray:
    shift = np.random.default_rng(0).integers(-LIMIT, LIMIT + 1, 3).tolist()
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    return cv2.cvtColor(plain_shift(hsv, shift), cv2.COLOR_HSV2RGB)


def _fast_shift(image: NDArray) -> NDArray:
    return shift_hsv(image, np.random.default_rng(0), LIMIT)


def _plain_crop(image: NDArray) -> NDArray:
    (cut,) = random_crop([(plain_normalised(image), 0)], CROP, np.random.default_rng(0))
    return cut


def _fast_crop(image: NDArray) -> NDArray:
    (cut,) = random_normalised_crop(image, CROP, np.random.default_rng(0), IMAGENET)
    return cut


COMPARISONS = (
    Comparison(
        "shift of hue, saturation and value, 500x375",
        "a loop over pixels",
        _prepare,
        _plain_shift,
        _fast_shift,
        assert_equal,
    ),
    Comparison(
        "normalised crop 448 of 500x375",
        "a loop over pixels",
        _prepare,
        _plain_crop,
        _fast_crop,
        assert_close,
    ),
)
