"""ImageNet's colour statistics."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hfpl.images.normalise import IMAGENET, normalise

PIXELS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)))


def test_the_statistics_are_those_of_imagenet():
    assert IMAGENET.mean == (0.485, 0.456, 0.406)
    assert IMAGENET.std == (0.229, 0.224, 0.225)


@settings(deadline=None)
@given(PIXELS)
def test_every_pixel_follows_the_definition(pixels):
    found = normalise(pixels, IMAGENET)
    assert found.dtype == np.float32
    assert found.shape == pixels.shape
    for (y, x, channel), value in np.ndenumerate(pixels):
        expected = (int(value) / 255 - IMAGENET.mean[channel]) / IMAGENET.std[channel]
        assert abs(found[y, x, channel] - expected) < 2e-6
    assert np.array_equal(normalise(pixels.astype(np.float32), IMAGENET), found)


def test_the_input_stays_as_it_was():
    pixels = np.full((2, 2, 3), 7.5, np.float32)
    normalise(pixels, IMAGENET)
    assert (pixels == 7.5).all()
