"""Dense CRF and the scores of the two background powers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.refiners.crf import DenseCrf, build
from hfpl.stages.pseudo.refine import pseudo_label_scores
from tests.plain.dense_crf import plain_scores

SMOOTH = {"sxy": 3, "compat": 3}
PSEUDO = build(iterations=10, gaussian=SMOOTH, bilateral={"sxy": 80, "srgb": 13, "compat": 10})
TEST = build(iterations=1, gaussian=SMOOTH, bilateral={"sxy": 32, "srgb": 13, "compat": 10})


def iterated(refiner: DenseCrf, iterations: int) -> DenseCrf:
    """The same with other steps; none is no setting, but shows what goes in."""
    return DenseCrf(refiner.settings.model_copy(update={"iterations": iterations}))


def refined(image: np.ndarray, scores: np.ndarray, refiner: DenseCrf) -> np.ndarray:
    (found,) = refiner.refine(image, [scores])
    return found


def example(seed=0, classes=2, height=13, width=17):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, generator.random((classes, height, width), dtype=np.float32)


def test_shared_lattice_gives_the_bits_of_separate_models():
    image, cams = example()
    shared = pseudo_label_scores(image, cams, [24, 1, 24], PSEUDO)
    separate = plain_scores(image, cams, [24, 1, 24], PSEUDO)
    for one, other in zip(shared, separate, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_setting_reaches_the_crf():
    image, probabilities = example()
    start = iterated(TEST, 2).settings.model_dump()
    base = refined(image, probabilities, build(**start))
    changes = [{"iterations": 1}]
    for kernel in ("gaussian", "bilateral"):
        changes += [{kernel: {**start[kernel], name: 1.0}} for name in start[kernel]]
    assert len(changes) == 6
    for change in changes:
        changed = refined(image, probabilities, build(**{**start, **change}))
        assert not np.array_equal(changed, base), change


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), alpha=st.sampled_from([0.5, 1, 24]))
def test_without_iterations_the_scores_are_clipped_and_normalised(seed, alpha):
    image, cams = example(seed)
    cams[:, 0] = 0
    cams[0, 1] = 1
    (scores,) = pseudo_label_scores(image, cams, [alpha], iterated(PSEUDO, 0))
    stacked = np.stack([(1 - np.maximum(cams[0], cams[1])) ** alpha, cams[0], cams[1]])
    stacked = np.maximum(stacked.astype(np.float64), 1e-5)
    np.testing.assert_allclose(scores, stacked / stacked.sum(0), rtol=1e-3, atol=1e-6)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), classes=st.integers(1, 4), iterations=st.integers(0, 3))
def test_scores_sum_to_one_and_follow_the_order_of_classes(seed, classes, iterations):
    image, cams = example(seed, classes)
    chosen = iterated(PSEUDO, iterations)
    (scores,) = pseudo_label_scores(image, cams, [1], chosen)
    np.testing.assert_allclose(scores.sum(0), 1, atol=1e-5)
    (turned,) = pseudo_label_scores(image, cams[::-1], [1], chosen)
    np.testing.assert_allclose(turned, scores[[0, *range(classes, 0, -1)]], atol=1e-5)


def test_smoothness_removes_a_lone_pixel_of_a_flat_image():
    image = np.full((15, 15, 3), 128, np.uint8)
    probabilities = np.full((2, 15, 15), 0.3, np.float32)
    probabilities[0] = 0.7
    probabilities[:, 7, 7] = [0.3, 0.7]
    assert probabilities.argmax(0).sum() == 1
    assert refined(image, probabilities, PSEUDO).argmax(0).sum() == 0


def test_larger_power_gives_more_background():
    image, cams = example(3, 1)
    low, high = pseudo_label_scores(image, cams, [1, 24], PSEUDO)
    assert (high[0] <= low[0] + 1e-6).all()
    assert high[0].mean() < low[0].mean()


def test_no_class_is_all_background():
    image, _ = example()
    low, high = pseudo_label_scores(image, np.zeros((0, 13, 17), np.float32), [1, 24], PSEUDO)
    for scores in (low, high):
        np.testing.assert_array_equal(scores, np.ones((1, 13, 17), np.float32))
        assert scores.dtype == np.float32


def test_read_only_and_strided_arrays_are_taken():
    image, cams = example(1)
    expected = pseudo_label_scores(image, cams, [1], PSEUDO)[0]
    strided = np.asfortranarray(image)
    strided.setflags(write=False)
    result = pseudo_label_scores(strided, np.asfortranarray(cams), [1], PSEUDO)[0]
    np.testing.assert_array_equal(result, expected)


def test_slightly_negative_cams_count_as_none():
    image, cams = example(1)
    cams[:, :3] = -2e-6
    expected = pseudo_label_scores(image, cams.clip(0), [1], PSEUDO)[0]
    np.testing.assert_array_equal(pseudo_label_scores(image, cams, [1], PSEUDO)[0], expected)


def test_bad_input_is_refused():
    image, cams = example()
    with pytest.raises(ValueError, match="image must be uint8"):
        refined(image.astype(np.float32), cams, TEST)
    with pytest.raises(ValueError, match="scores must be"):
        refined(image, cams[:, 1:], TEST)
    with pytest.raises(ValueError, match="no class"):
        refined(image, cams[:0], TEST)
    with pytest.raises(ValueError, match="not finite"):
        refined(image, cams * np.nan, TEST)
    with pytest.raises(ValueError, match="at most 1"):
        pseudo_label_scores(image, cams + 1, [1], PSEUDO)
    with pytest.raises(ValueError, match="powers must be positive"):
        pseudo_label_scores(image, cams, [1, 0], PSEUDO)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"iterations": -1}, "iterations"),
        ({"gaussian": {"sxy": 0, "compat": 3}}, r"gaussian\.sxy"),
        ({"bilateral": {"sxy": 80, "srgb": float("nan"), "compat": 10}}, r"bilateral\.srgb"),
        ({"bilateral": {"sxy": 80, "compat": 10}}, r"bilateral\.srgb"),
    ],
)
def test_bad_settings_are_refused(change, key):
    with pytest.raises(ValueError, match=key):
        build(**{**PSEUDO.settings.model_dump(), **change})


def test_scores_of_one_image_are_refined_each_by_itself():
    image, probabilities = example()
    many = TEST.refine(image, [probabilities, probabilities[::-1], probabilities])
    for one, scores in zip(many, (probabilities, probabilities[::-1], probabilities), strict=True):
        np.testing.assert_array_equal(one, refined(image, scores, TEST))
