"""Affinity labels from CRF scores and the labels of pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.stages.affinity.labels import affinity_label, mean_pool, pair_labels
from tests.plain.affinity_labels import plain_label, plain_pairs


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    classes=st.integers(0, 3),
    stride=st.sampled_from([1, 2, 4, 8]),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
)
def test_labels_match_the_rules_cell_by_cell(seed, classes, stride, rows, columns):
    generator = np.random.default_rng(seed)
    shape = (2, classes + 1, rows * stride, columns * stride)
    low, high = generator.random(shape, dtype=np.float32)
    low[:, : shape[2] // 2, : shape[3] // 2] = 0
    high[:, : shape[2] // 2, : shape[3] // 2] = 0
    low[0] *= 0.9
    expected = plain_label(low, high, stride)
    np.testing.assert_array_equal(affinity_label(low, high, stride), expected)


def test_each_rule_and_their_order():
    low, high, expected = zip(
        ([0.2, 0.8], [0.1, 0.9], 1),  # both see the class
        ([0.8, 0.2], [0.3, 0.7], 255),  # the two disagree
        ([0.9, 0.1], [0.6, 0.4], 0),  # both see background
        ([0.2, 0.8], [0.6, 0.4], 0),  # high's background comes after low's class
        ([0, 0], [0, 0], 255),  # outside the image
        ([0, 0], [0, 1], 255),
        ([0, 0], [1, 0], 0),  # a score in high alone still lies inside
        strict=True,
    )
    low, high = (np.array(scores, np.float32).T[:, None] for scores in (low, high))
    np.testing.assert_array_equal(affinity_label(low, high, 1), [expected])


def test_image_without_classes_is_background_inside_and_ignored_outside():
    scores = np.ones((1, 8, 16), np.float32)
    scores[:, :, 8:] = 0
    np.testing.assert_array_equal(affinity_label(scores, scores, 8), [[0, 255]])


def test_mean_pool_keeps_the_mean_and_the_dtype():
    maps = np.random.default_rng(0).random((2, 6, 9), dtype=np.float32)
    pooled = mean_pool(maps, 3)
    assert pooled.dtype == np.float32
    assert pooled[1, 1, 2] == pytest.approx(maps[1, 3:, 6:].mean(), rel=1e-6)
    np.testing.assert_allclose(pooled.mean((1, 2)), maps.mean((1, 2)), rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000), radius=st.integers(2, 5), extra=st.tuples(*[st.integers(0, 4)] * 2)
)
def test_pair_labels_match_loops(seed, radius, extra):
    shape = (2, radius + extra[0], 2 * radius - 1 + extra[1])
    label = np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), shape)
    masks = pair_labels(torch.from_numpy(label), radius)
    for n in range(2):
        for mask, expected in zip(masks, plain_pairs(label[n], radius), strict=True):
            np.testing.assert_array_equal(mask[n].numpy(), expected)


def test_bad_input_is_refused():
    scores = np.ones((2, 8, 8), np.float32)
    with pytest.raises(ValueError, match="differ in shape"):
        affinity_label(scores, scores[:1], 8)
    with pytest.raises(ValueError, match="cannot pool"):
        affinity_label(scores, scores, 3)
    with pytest.raises(ValueError, match="1 to 255 channels"):
        affinity_label(scores[:0], scores[:0], 8)
    with pytest.raises(ValueError, match="too small for radius 5"):
        pair_labels(torch.zeros(1, 4, 9), 5)
