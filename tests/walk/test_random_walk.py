"""Random walk of class activation maps over affinities."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hfpl.stages.walk.random_walk import (
    affinity_matrix,
    dense_affinity,
    padded_size,
    random_walk,
    transition_matrix,
    walk_labels,
)
from tests.plain.random_walk import plain_walk


def random_features(seed, height, width, channels=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, height, width, generator=generator)


def plain_affinity(features, radius):
    """Dense matrix by loops over positions and their half-plane neighbours."""
    _, height, width = features.shape
    matrix = np.eye(height * width)
    for y in range(height - (radius - 1)):
        for x in range(radius - 1, width - (radius - 1)):
            for dy in range(radius):
                for dx in range(1 - radius if dy else 1, radius):
                    if dx**2 + dy**2 < radius**2:
                        i, j = y * width + x, (y + dy) * width + x + dx
                        distance = np.abs(features[:, y, x] - features[:, y + dy, x + dx]).mean()
                        matrix[i, j] = matrix[j, i] = np.exp(-distance)
    return matrix


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    radius=st.integers(1, 4),
    extra=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_affinity_matches_loops(seed, radius, extra):
    features = random_features(seed, radius + extra[0], 2 * radius - 1 + extra[1])
    matrix = dense_affinity(features, radius)
    expected = plain_affinity(features.double().numpy(), radius)
    np.testing.assert_allclose(matrix.toarray(), expected, rtol=1e-5)
    assert matrix.dtype == np.float32


def test_small_maps_take_the_largest_radius_that_fits():
    features = random_features(0, 3, 9)
    expected = plain_affinity(features.double().numpy(), 3)
    np.testing.assert_allclose(dense_affinity(features, 5).toarray(), expected, rtol=1e-5)
    np.testing.assert_array_equal(dense_affinity(random_features(0, 1, 1), 5).toarray(), [[1]])


def test_entries_grow_with_the_positions_only():
    matrix = dense_affinity(random_features(0, 40, 40, 1), 5)
    assert matrix.data.shape == (69, 1600)
    assert np.diff(matrix.tocsr().indptr).max() == 69


def test_gradients_are_not_kept():
    features = random_features(0, 5, 9).requires_grad_()
    assert dense_affinity(features, 3).shape == (45, 45)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1000), beta=st.sampled_from([0.5, 1, 8]))
def test_columns_of_the_transition_sum_to_one(seed, beta):
    affinity = dense_affinity(random_features(seed, 5, 8), 3)
    before = affinity.toarray()
    transition = transition_matrix(affinity, beta)
    expected = before.astype(np.float64) ** beta
    expected /= expected.sum(axis=0, keepdims=True)
    np.testing.assert_allclose(transition.toarray(), expected, rtol=1e-5)
    # The input is left alone, and may be stored in any way.
    np.testing.assert_array_equal(affinity.toarray(), before)
    other = transition_matrix(affinity.tocsr(), beta)
    np.testing.assert_allclose(other.toarray(), expected, rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    stride=st.sampled_from([1, 3, 4]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    alpha=st.sampled_from([1, 2.5, 6]),
    log_steps=st.integers(0, 6),
)
def test_walk_matches_dense_squarings(seed, stride, size, alpha, log_steps):
    height, width = padded_size(size, stride)
    affinity = dense_affinity(random_features(seed, height // stride, width // stride), 3)
    cams = np.random.default_rng(seed).random((2, *size), dtype=np.float32)
    walked = random_walk(
        cams, transition_matrix(affinity, 4), stride=stride, alpha=alpha, log_steps=log_steps
    )
    dense = torch.from_numpy(affinity.toarray()).double()
    expected = plain_walk(cams, dense, stride, alpha, 4, log_steps)
    np.testing.assert_allclose(walked, expected, rtol=1e-4, atol=1e-6)
    # Columns sum to 1, so each value is a weighted mean of the values before the walk.
    start = plain_walk(cams, dense, stride, alpha, 4, 0)
    assert (walked <= start.max((1, 2), keepdims=True) + 1e-5).all()
    assert (walked >= start.min((1, 2), keepdims=True) - 1e-5).all()


def test_background_is_not_above_one_where_maps_are_below_zero():
    cams = np.full((1, 2, 2), -1, np.float32)
    transition = transition_matrix(sparse.eye_array(4, dtype=np.float32), 1)
    walked = random_walk(cams, transition, stride=1, alpha=6, log_steps=2)
    np.testing.assert_array_equal(walked, [np.ones((2, 2)), -np.ones((2, 2))])


def test_no_class_is_all_background():
    transition = transition_matrix(dense_affinity(random_features(0, 2, 3), 5), 8)
    cams = np.zeros((0, 16, 24), np.float32)
    np.testing.assert_allclose(random_walk(cams, transition), np.ones((1, 2, 3)), rtol=1e-5)
    # Padding holds no background, which walks like any other score.
    walked = random_walk(cams[:, :15, :17], transition)
    one = random_walk(np.zeros((1, 15, 17), np.float32), transition)
    np.testing.assert_array_equal(walked, one[:1])
    assert walked[0, 0, 2] < 0.5
    label = walk_labels(walked, [], (16, 24), (15, 17))
    np.testing.assert_array_equal(label, np.zeros((15, 17), np.uint8))
    assert label.dtype == np.uint8


def test_labels_are_upsampled_named_and_cropped():
    # Class 4 leads at the left, class 7 at the right; the change lies between the two cells.
    walked = np.array([[[0.1, 0.1]], [[0.9, 0.0]], [[0.0, 0.8]]], np.float32)
    label = walk_labels(walked, [4, 7], (8, 16), (5, 14))
    assert label.shape == (5, 14)
    # Along x, class 4 has 0.9 (1 - t) and class 7 0.8 t, t = (x - 3.5) / 8: they cross at x = 7.7.
    np.testing.assert_array_equal(label, np.tile([5] * 8 + [8] * 6, (5, 1)))


def test_a_tie_goes_to_the_lower_class():
    assert walk_labels(np.full((3, 1, 1), 0.5, np.float32), [4, 7], (4, 4), (4, 4)).max() == 0
    scores = np.array([0.1, 0.5, 0.5], np.float32).reshape(3, 1, 1)
    assert (walk_labels(scores, [4, 7], (4, 4), (4, 4)) == 5).all()


@given(st.integers(1, 600), st.integers(1, 600), st.integers(1, 16))
def test_padded_size_is_the_next_multiple(height, width, stride):
    for size, full in zip((height, width), padded_size((height, width), stride), strict=True):
        assert full % stride == 0
        assert 0 <= full - size < stride


def test_bad_matrices_are_refused():
    with pytest.raises(ValueError, match="affinity must be"):
        affinity_matrix(np.ones((34, 55), np.float32), 12, 15, 5)
    with pytest.raises(ValueError, match="features must be"):
        dense_affinity(torch.ones(1, 2, 5, 9), 5)
    with pytest.raises(ValueError, match="must be square"):
        transition_matrix(sparse.csr_array(np.ones((2, 3))), 8)
    with pytest.raises(ValueError, match="beta must be positive"):
        transition_matrix(sparse.csr_array(np.eye(2)), 0)
    with pytest.raises(ValueError, match="no positive entry"):
        transition_matrix(sparse.csr_array(np.diag([1.0, 0.0])), 8)


@pytest.mark.parametrize(
    ("cams", "options", "message"),
    [
        (np.zeros((8, 8), np.float32), {}, "cams must be"),
        (np.zeros((1, 8, 17), np.float32), {}, "transition must be"),
        (np.full((1, 8, 16), 1.5, np.float32), {}, "at most 1"),
        (np.full((1, 8, 16), np.nan, np.float32), {}, "finite"),
        (np.zeros((1, 8, 16), np.float32), {"alpha": 0}, "alpha must be positive"),
        (np.zeros((1, 8, 16), np.float32), {"log_steps": -1}, "log_steps not negative"),
        (np.zeros((1, 8, 16), np.float32), {"stride": 0}, "stride must be positive"),
    ],
)
def test_bad_walks_are_refused(cams, options, message):
    with pytest.raises(ValueError, match=message):
        random_walk(cams, sparse.csc_array(np.eye(2, dtype=np.float32)), **options)


@pytest.mark.parametrize(
    ("classes", "size", "message"),
    [
        ([1], (8, 8), "walked must be"),
        ([4, 4], (8, 8), "must ascend"),
        ([-1, 3], (8, 8), "must ascend"),
        ([4, 254], (8, 8), "must ascend"),
        ([4, 7], (8, 9), "exceeds"),
    ],
)
def test_bad_labels_are_refused(classes, size, message):
    with pytest.raises(ValueError, match=message):
        walk_labels(np.ones((3, 1, 1), np.float32), classes, (8, 8), size)
