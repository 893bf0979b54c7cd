"""Cells of a contact sheet: sizes, tilings, colours."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.images.palette import voc_palette
from hfpl.stages.report.cells import (
    fit,
    heat,
    heat_cell,
    image_cell,
    label_cell,
    label_colours,
    labels_in,
    tile_box,
    tiling,
)

SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
BOXES = st.tuples(st.integers(20, 300), st.integers(20, 300))


@given(SIZES, BOXES)
@settings(deadline=None)
def test_fit_touches_the_box_and_keeps_the_shape(size, box):
    height, width = fit(size, box)
    assert 1 <= height <= box[0]
    assert 1 <= width <= box[1]
    assert height == box[0] or width == box[1]
    # The other side is right to the rounded pixel.
    if height == box[0] and width < box[1]:
        assert abs(width - size[1] * box[0] / size[0]) <= 0.5 or width == 1
    if width == box[1] and height < box[0]:
        assert abs(height - size[0] * box[1] / size[1]) <= 0.5 or height == 1


@given(SIZES, st.integers(1, 25), BOXES, st.integers(0, 2))
@settings(deadline=None)
def test_tiling_holds_all_and_none_shows_them_larger(size, count, box, gap):
    grid = tiling(size, count, box, gap)
    assert grid[0] * grid[1] >= count

    def shown(rows, columns):
        height, width = fit(
            size,
            (
                max(1, (box[0] - gap * (rows - 1)) // rows),
                max(1, (box[1] - gap * (columns - 1)) // columns),
            ),
        )
        return height * width

    best = max(shown(math.ceil(count / columns), columns) for columns in range(1, count + 1))
    assert shown(*grid) == best


@pytest.mark.parametrize(
    ("size", "count", "grid"),
    [
        ((100, 100), 1, (1, 1)),
        ((100, 100), 2, (1, 2)),
        ((60, 200), 2, (2, 1)),
        ((200, 60), 2, (1, 2)),
        ((100, 100), 4, (2, 2)),
    ],
)
def test_tilings_of_common_shapes(size, count, grid):
    assert tiling(size, count, (96, 96), 2) == grid


def test_tile_box_leaves_the_gaps():
    assert tile_box((100, 200), (2, 3), 4) == (48, 64)
    assert tile_box((3, 3), (5, 5), 2) == (1, 1)


def test_image_cell_enlarges_and_shrinks():
    image = np.zeros((10, 20, 3), np.uint8)
    image[:, 10:] = (200, 100, 50)
    for size in ((40, 80), (5, 10)):
        cell = np.asarray(image_cell(image, size))
        assert cell.shape == (*size, 3)
        assert (cell[:, 0] < 8).all()
        assert (np.abs(cell[:, -1].astype(int) - (200, 100, 50)) < 8).all()


def test_labels_keep_the_palettes_colours_when_enlarged():
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    cell = np.asarray(label_cell(np.full((2, 2, 3), 90, np.uint8), mask, (8, 8)))
    palette = voc_palette()
    assert (cell[:4, 4:] == palette[1]).all()
    assert (cell[4:, :4] == palette[2]).all()
    assert (cell[4:, 4:] == 255).all()
    background = cell[:4, :4].reshape(-1, 3)
    assert (background == background[0]).all()
    assert background[0, 0] > 128  # pale, so that dark colours stand out
    assert background[0, 0] < 240  # yet no void


def test_background_shows_the_image():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2] = 255
    cell = np.asarray(label_cell(image, np.zeros((4, 4), np.uint8), (4, 4))).astype(int)
    assert (cell[0] > cell[3] + 20).all()


def test_shrunk_labels_mix_where_they_meet():
    image = np.zeros((2, 2, 3), np.uint8)
    mask = np.array([[1, 1], [2, 2]], np.uint8)
    mixed = np.asarray(label_cell(image, mask, (1, 1)))[0, 0].astype(int)
    expected = (voc_palette()[1].astype(int) + voc_palette()[2]) / 2
    assert np.abs(mixed - expected).max() <= 1
    # Half background: the label's colour and the faded image, half of each.
    mask[1] = 0
    mixed = np.asarray(label_cell(image, mask, (1, 1)))[0, 0].astype(int)
    faded = np.asarray(label_cell(image, np.zeros_like(mask), (1, 1)))[0, 0].astype(int)
    assert np.abs(mixed - (voc_palette()[1].astype(int) + faded) / 2).max() <= 2


def test_label_colours_are_the_palettes_but_for_background_and_void():
    assert (label_colours()[1:255] == voc_palette()[1:255]).all()
    assert len(np.unique(label_colours()[:22], axis=0)) == 22


def test_heat_grows_with_the_score_and_lets_the_image_through():
    grey = np.full((1, 101), 100, np.float32)
    colours = heat(grey, np.linspace(0, 1, 101, dtype=np.float32)[None])
    assert colours.dtype == np.uint8
    red_and_green = colours[0].astype(int)[:, :2].sum(1)
    assert red_and_green[-1] > red_and_green[50] > red_and_green[0]
    for score in (0.0, 0.5, 1.0):
        pair = heat(np.array([[40, 200]], np.float32), np.full((1, 2), score, np.float32))[0]
        assert (pair[1].astype(int) > pair[0]).all()


def test_heat_clips_scores():
    grey = np.full((1, 2), 100, np.float32)
    outside = heat(grey, np.array([[-1.0, 2.0]], np.float32))
    assert (outside == heat(grey, np.array([[0.0, 1.0]], np.float32))).all()


@pytest.mark.parametrize("size", [(30, 60), (5, 10)])
def test_heat_cell_is_hot_where_the_score_is(size):
    image = np.full((10, 20, 3), 100, np.uint8)
    scores = np.zeros((10, 20), np.float32)
    scores[:, :10] = 1
    cell = np.asarray(heat_cell(image, scores, size)).astype(int)
    assert cell.shape == (*size, 3)
    assert (cell[:, 0].sum(1) > cell[:, -1].sum(1) + 100).all()


def test_labels_in_ignores_missing_maps():
    masks = [np.array([[0, 3]], np.uint8), None, np.array([[255, 3]], np.uint8)]
    assert labels_in(masks) == {0, 3, 255}
