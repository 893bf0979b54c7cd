"""Random changes of training images, against plain loops and the ranges they promise."""

import colorsys
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from hfpl.images.augment import (
    jitter_colours,
    random_crop,
    random_normalised_crop,
    resize_long_side,
    shift_hsv,
)
from hfpl.images.normalise import IMAGENET
from hfpl.sections.training import ColourJitter
from tests.plain.augmentation import plain_shift

SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 14)


def picture(seed: int, height: int = 6, width: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def jitter(**shares: float) -> ColourJitter:
    none = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    return ColourJitter(**{**none, **shares})


def jittered(pixels: np.ndarray, seed: int, **shares: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(jitter_colours(Image.fromarray(pixels), rng, jitter(**shares)))


# Crop


@settings(deadline=None, max_examples=150)
@given(SIDES, SIDES, SIDES, SEEDS)
def test_a_crop_is_one_place_of_every_array_and_fill_around_it(height, width, size, seed):
    places = np.arange(height * width).reshape(height, width)
    colours = np.stack([places, -places], 2).astype(np.float32)
    rng = np.random.default_rng(seed)
    cut, cut_colours = random_crop([(places, -7), (colours, 0.5)], size, rng)
    assert cut.shape == (size, size)
    assert cut.dtype == places.dtype
    assert cut_colours.shape == (size, size, 2)
    assert cut_colours.dtype == np.float32
    inside = cut != -7
    assert inside.sum() == min(size, height) * min(size, width)
    # One unbroken rectangle, and in it rows and columns as they follow each other in the image.
    y, x = np.nonzero(inside)
    rows, columns = np.divmod(cut[inside], width)
    assert len(set(zip(y - rows, x - columns, strict=True))) == 1
    assert np.array_equal(cut_colours[inside][:, 0], cut[inside])
    assert np.array_equal(cut_colours[inside][:, 1], -cut[inside])
    assert (cut_colours[~inside] == 0.5).all()


@pytest.mark.parametrize(("height", "width", "size"), [(6, 4, 4), (3, 4, 5), (7, 2, 4)])
def test_every_place_is_drawn_equally_often(height, width, size):
    places = np.arange(1, height * width + 1).reshape(height, width)
    counts: dict[bytes, int] = {}
    for seed in range(1200):
        (cut,) = random_crop([(places, 0)], size, np.random.default_rng(seed))
        counts[cut.tobytes()] = counts.get(cut.tobytes(), 0) + 1
    expected = (abs(height - size) + 1) * (abs(width - size) + 1)
    assert len(counts) == expected
    mean = 1200 / expected
    assert min(counts.values()) > mean - 4.5 * mean**0.5
    assert max(counts.values()) < mean + 4.5 * mean**0.5


@settings(deadline=None, max_examples=40)
@given(height=SIDES, width=SIDES, size=SIDES, seed=SEEDS)
def test_a_normalised_crop_is_the_crop_of_the_normalised_image(height, width, size, seed):
    image = picture(seed, height, width)
    labels = image[..., 0] // 128
    found = random_normalised_crop(
        image, size, np.random.default_rng(seed), IMAGENET, [(labels, 255)]
    )
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    whole = ((image / 255 - mean) / std).astype(np.float32)
    expected = random_crop([(whole, 0), (labels, 255)], size, np.random.default_rng(seed))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    assert np.array_equal(found[1], expected[1])


def test_a_crop_leaves_the_image_alone_and_shares_nothing_with_it():
    image = np.ones((4, 4))
    (cut,) = random_crop([(image, 0)], 4, np.random.default_rng(0))
    cut[:] = 5
    assert (image == 1).all()


# Resize


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60))
@example(21, 28, 34)  # 25.5, which a scale of 34 / 28 makes 25.499…
def test_the_long_side_has_the_length_and_the_sides_their_ratio(height, width, length):
    found = resize_long_side(Image.new("RGB", (width, height)), length)
    assert max(found.size) == length
    for side, before in zip(found.size, (width, height), strict=True):
        assert side == max(1, round(before * length / max(height, width)))


def test_resizing_is_bicubic_and_averages_when_it_shrinks():
    pixels = picture(1, 40, 24)
    found = np.array(resize_long_side(Image.fromarray(pixels), 10)).astype(float)
    expected = np.array(Image.fromarray(pixels).resize((6, 10), Image.Resampling.BICUBIC))
    assert np.array_equal(found, expected)
    # Sampled without averaging, noise would keep its deviation of about 74 grey levels.
    assert found.std() < 0.6 * pixels.std()
    same = np.array(resize_long_side(Image.fromarray(pixels), 40))
    assert np.array_equal(same, pixels)


# Shift of hue, saturation and value


def shifts_that_explain(pixels: np.ndarray, found: np.ndarray, limit: int) -> list[tuple]:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    steps = range(-limit, limit + 1)
    return [
        shift
        for shift in itertools.product(steps, steps, steps)
        if np.array_equal(cv2.cvtColor(plain_shift(hsv, shift), cv2.COLOR_HSV2RGB), found)
    ]


def test_one_shift_of_whole_numbers_explains_every_pixel():
    # Extremes of each channel are among the pixels, so that wrapping and clipping show.
    corners = np.array(list(itertools.product((0, 1, 254, 255), repeat=3)), np.uint8)
    pixels = np.concatenate([corners, picture(3, 1, 6)[0]])[None]
    seen = set()
    for seed in range(12):
        found = shift_hsv(pixels, np.random.default_rng(seed), 2)
        assert found.dtype == np.uint8
        explained = shifts_that_explain(pixels, found, 2)
        assert len(explained) == 1
        seen.add(explained[0])
    assert len(seen) > 8
    assert all({-2, 2} <= {shift[channel] for shift in seen} for channel in range(3))


def test_no_shift_is_no_more_than_the_conversion():
    pixels = picture(4)
    there_and_back = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), cv2.COLOR_HSV2RGB)
    assert np.array_equal(shift_hsv(pixels, np.random.default_rng(0), 0), there_and_back)


def test_black_and_white_do_not_wrap_around():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        dark, bright = shift_hsv(np.array([[[0] * 3, [255] * 3]], np.uint8), rng, 40)[0]
        assert dark.max() <= 40
        assert bright.max() >= 215


def test_a_shift_accepts_arrays_that_are_not_contiguous_and_leaves_them_alone():
    pixels = picture(5)
    mirrored = pixels[:, ::-1]
    before = pixels.copy()
    found = shift_hsv(mirrored, np.random.default_rng(1), 10)
    assert np.array_equal(found, shift_hsv(mirrored.copy(), np.random.default_rng(1), 10))
    assert np.array_equal(pixels, before)


# Colour jitter


def test_no_jitter_changes_nothing():
    for seed in range(10):
        assert np.array_equal(jittered(picture(seed), seed), picture(seed))


def test_equal_generators_give_equal_jitter():
    shares = {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1}
    first = [jittered(picture(1), seed, **shares) for seed in range(20)]
    again = [jittered(picture(1), seed, **shares) for seed in range(20)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.tobytes() for a in first}) == 20


def factors_of(share: float, **shares: float) -> np.ndarray:
    """Measured changes of a light grey beside a dark one, over many draws."""
    greys = np.array([[[60] * 3, [100] * 3]], np.uint8)
    found = np.stack([jittered(greys, seed, **shares)[0, :, 0] for seed in range(300)])
    return found.astype(float)


def test_brightness_is_a_factor_drawn_evenly_from_1_plus_minus_the_share():
    found = factors_of(0.3, brightness=0.3)
    factor = found[:, 1] / 100
    assert np.abs(found[:, 0] - 60 * factor).max() <= 1.0
    assert 0.69 <= factor.min() < 0.72
    assert 1.28 < factor.max() <= 1.31
    assert abs(factor.mean() - 1) < 0.04


def test_contrast_is_a_factor_on_the_distance_from_the_mean_grey():
    found = factors_of(0.3, contrast=0.3)
    assert np.abs(found.mean(1) - 80).max() <= 1.0
    factor = (found[:, 1] - found[:, 0]) / 40
    assert 0.67 <= factor.min() < 0.75
    assert 1.25 < factor.max() <= 1.33


def test_saturation_is_a_factor_on_the_distance_from_each_pixels_grey():
    colour = np.array([[[150, 100, 80]]], np.uint8)
    grey = np.array(Image.fromarray(colour).convert("L"))[0, 0]
    found = np.stack([jittered(colour, seed, saturation=0.5)[0, 0] for seed in range(300)])
    factor = (found[:, 0].astype(float) - grey) / (150.0 - grey)
    assert 0.47 <= factor.min() < 0.56
    assert 1.44 < factor.max() <= 1.53
    expected = grey + factor[:, None] * (np.array([150, 100, 80.0]) - grey)
    assert np.abs(found - expected).max() <= 2.5
    greys = np.full((1, 3, 3), 90, np.uint8)
    assert all(np.array_equal(jittered(greys, seed, saturation=0.5), greys) for seed in range(20))


def test_hue_turns_around_the_circle_by_at_most_the_share():
    red = np.array([[[200, 20, 20]]], np.uint8)
    hues = []
    for seed in range(300):
        found = jittered(red, seed, hue=0.1)[0, 0] / 255
        hue, saturation, value = colorsys.rgb_to_hsv(*found)
        assert abs(value - 200 / 255) < 0.01
        assert abs(saturation - 0.9) < 0.02
        hues.append((hue + 0.5) % 1 - 0.5)
    assert -0.11 < min(hues) < -0.09
    assert 0.09 < max(hues) < 0.11
    assert abs(np.mean(hues)) < 0.015


def test_the_four_changes_come_in_random_order():
    # Rounding, clipping and hue do not commute: one amount of each gives many results.
    class Fixed:
        """Gives the same amounts and one order after the other."""

        def __init__(self, order: tuple[int, ...]) -> None:
            self.order = order

        def uniform(self, low: float, high: float) -> float:
            return high

        def permutation(self, count: int) -> np.ndarray:
            assert count == 4
            return np.array(self.order)

    image = Image.fromarray(picture(2))
    settings = jitter(brightness=0.3, contrast=0.4, saturation=0.5, hue=0.3)
    found = {
        np.array(jitter_colours(image, Fixed(order), settings)).tobytes()
        for order in itertools.permutations(range(4))
    }
    assert len(found) > 12
