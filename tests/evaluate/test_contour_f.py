"""Contour scores against the plain full-size dilation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.metrics.contour_f import (
    contour_counts,
    contour_radius,
    contour_scores,
    mean_contour_f,
)
from tests.plain.contours import plain_counts

# Thin maps reach large radii with few pixels: 1, 1, 2, 3, 3, 4, 5, 8.
SHAPES = [(1, 1), (9, 11), (60, 130), (1, 300), (280, 2), (7, 490), (600, 5), (4, 920)]


def random_map(rng, shape, num_classes):
    """Blocks of random size with some single-pixel noise."""
    cell = int(rng.integers(1, 40))
    coarse = rng.integers(0, num_classes, (shape[0] // cell + 2, shape[1] // cell + 2))
    y, x = rng.integers(0, cell, 2)
    seg = np.kron(coarse, np.ones((cell, cell), int))[y : y + shape[0], x : x + shape[1]]
    noise = rng.random(shape) < rng.choice([0.0, 0.003, 0.1])
    return np.where(noise, rng.integers(0, num_classes, shape), seg).astype(np.uint8)


def square(y, x, shape=(375, 500)):
    seg = np.zeros(shape, np.uint8)
    seg[y, x] = 1
    return seg


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
    num_classes=st.integers(2, 6),
)
def test_counts_equal_the_plain_dilation(seed, shape, num_classes):
    rng = np.random.default_rng(seed)
    label = random_map(rng, shape, num_classes)
    shift = rng.integers(-12, 13, 2)
    moved = np.roll(label, shift, axis=(0, 1))
    prediction = moved if rng.random() < 0.7 else random_map(rng, shape, num_classes)
    label[rng.random(shape) < rng.choice([0.0, 0.05])] = 255
    counts = contour_counts(label, prediction, num_classes)
    assert counts.dtype == np.int64
    assert (counts == plain_counts(label, prediction, num_classes)).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_exchanging_the_maps_exchanges_the_counts(seed):
    rng = np.random.default_rng(seed)
    one, other = (random_map(rng, (50, 140), 4) for _ in range(2))
    counts = contour_counts(one, other, 4)
    assert (contour_counts(other, one, 4) == counts[:, [1, 0, 3, 2]]).all()
    assert (contour_counts(one.T, other.T, 4) == counts).all()
    same = contour_counts(one, one, 4)
    assert (same == same[:, [2, 2, 2, 2]]).all()


@pytest.mark.parametrize(
    ("shape", "radius"),
    [((1, 1), 1), ((75, 100), 1), ((75, 101), 2), ((375, 500), 5), ((612, 800), 9)],
)
def test_radius(shape, radius):
    assert contour_radius(*shape) == radius


def test_edge_of_the_disk_matches():
    # A pixel's boundary is its 2x2 block to the north-west. At radius 5 blocks that are (4, 5)
    # apart touch the disk with one pair of corners, at offset (3, 4).
    assert contour_counts(square(100, 100), square(104, 105), 2).tolist() == [[1, 1, 4, 4]]
    assert contour_counts(square(100, 100), square(105, 104), 2).tolist() == [[1, 1, 4, 4]]
    assert contour_counts(square(100, 100), square(105, 105), 2).tolist() == [[0, 0, 4, 4]]


def test_no_match_across_rows_or_classes():
    shape = (375, 500)
    left, right = square(100, 1, shape), square(99, 498, shape)
    assert contour_counts(left, right, 2)[:, :2].sum() == 0
    top, bottom = square(1, 50, shape), 2 * square(373, 50, shape)
    assert contour_counts(top, bottom, 3)[:, :2].sum() == 0
    assert contour_counts(top, 2 * top, 3).tolist() == [[0, 0, 4, 0], [0, 0, 0, 4]]


def test_last_row_and_column_have_one_neighbour():
    seg = np.zeros((3, 3), np.uint8)
    seg[2, 2] = 1
    assert contour_counts(seg, seg, 2).tolist() == [[3, 3, 3, 3]]
    seg[:] = 1
    assert contour_counts(seg, seg, 2).tolist() == [[0, 0, 0, 0]]


def test_ignored_pixels_are_background():
    prediction = np.zeros((40, 40), np.uint8)
    prediction[10:20, 10:20] = 2
    label = prediction.copy()
    label[10:20, 20:25] = 255
    assert (contour_counts(label, prediction, 3) == contour_counts(prediction, prediction, 3)).all()
    assert contour_counts(prediction * 0 + 255, prediction, 3)[:, 2].sum() == 0


def test_scores_and_conventions_for_empty_sets():
    counts = np.array(
        [[30, 10, 40, 20], [0, 0, 7, 0], [0, 0, 0, 7], [0, 0, 0, 0], [0, 0, 5, 5]], np.int64
    )
    precision, recall, f_score = contour_scores(counts)
    assert precision.tolist() == [0.5, 1, 0, 1, 0]
    assert recall.tolist() == [0.75, 0, 1, 1, 0]
    assert f_score == pytest.approx([0.6, 0, 0, 1, 0])
    assert mean_contour_f(counts) == pytest.approx(1.6 / 5)


@pytest.mark.parametrize(
    ("label", "prediction", "num_classes", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), 3, "shape"),
        (np.full((2, 3), 3), np.zeros((2, 3), int), 3, "label has value 3"),
        (np.zeros((2, 3), int), np.full((2, 3), 255), 3, "prediction has value 255"),
        (np.zeros((2, 3), int), np.full((2, 3), -1), 3, "prediction has value -1"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), 3, "integer"),
        (np.zeros((0, 3), int), np.zeros((0, 3), int), 3, "non-empty"),
        (np.zeros((2, 3), int), np.zeros((2, 3), int), 1, "num_classes"),
        (np.zeros((2, 3), int), np.zeros((2, 3), int), 256, "num_classes"),
    ],
)
def test_counts_refuse_bad_input(label, prediction, num_classes, message):
    with pytest.raises(ValueError, match=message):
        contour_counts(label, prediction, num_classes)


def test_scores_refuse_wrong_shape():
    with pytest.raises(ValueError, match="counts must be"):
        contour_scores(np.zeros((4, 20)))
