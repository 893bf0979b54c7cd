"""Region scores against plain definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.metrics.miou import confusion_matrix, intersection_over_union, mean_iou
from hfpl.stages.evaluate.cam_curve import (
    CAM_THRESHOLDS,
    cam_statistics,
    confusions_from_statistics,
    curve_from_statistics,
    predict_from_cams,
)
from tests.plain.cam_curve import plain_prediction

SEEDS = st.integers(0, 2**32 - 1)


def plain_confusion(label, prediction, num_classes):
    counts = np.zeros((num_classes, num_classes), np.int64)
    for truth, found in zip(label.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if truth != 255:
            counts[truth, found] += 1
    return counts


def random_labels(rng, num_classes, shape=(7, 9)):
    label = rng.integers(0, num_classes, shape).astype(np.uint8)
    label[rng.random(shape) < 0.2] = 255
    return label


def critical_cams(rng, count, shape=(7, 9)):
    """Scores at, just below and just above the thresholds, with many ties, and some below 0."""
    levels = np.float32(CAM_THRESHOLDS)
    levels = np.concatenate(
        [levels, np.nextafter(levels, np.float32(2)), np.nextafter(levels, np.float32(-2))]
    )
    levels = np.concatenate([levels, np.float32([-0.3, -0.0, 0.595, 0.7, 1.0, 1.0, 3.0])])
    return rng.choice(rng.choice(levels, 6), (count, *shape))


@settings(deadline=None)
@given(seed=SEEDS, num_classes=st.sampled_from([1, 2, 21, 81, 255]))
def test_confusion_counts_every_pixel_pair(seed, num_classes):
    rng = np.random.default_rng(seed)
    label = random_labels(rng, num_classes)
    prediction = rng.integers(0, num_classes, label.shape).astype(np.uint8)
    counts = confusion_matrix(label, prediction, num_classes)
    assert counts.dtype == np.int64
    assert (counts == plain_confusion(label, prediction, num_classes)).all()
    parts = [confusion_matrix(label[s], prediction[s], num_classes) for s in np.s_[:3, 3:]]
    assert (sum(parts) == counts).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.uint16, np.uint64])
def test_confusion_takes_any_integer_dtype(dtype):
    label = np.array([[0, 1, 2], [2, 1, 0]], dtype)
    prediction = np.array([[0, 2, 2], [1, 1, 0]], dtype)
    expected = [[2, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert confusion_matrix(label, prediction, 3).tolist() == expected
    assert confusion_matrix(label, prediction, 255)[:3, :3].tolist() == expected


def test_iou_of_a_hand_counted_matrix():
    confusion = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    expected = [6 / 9, 3 / 6, 0.0]
    assert intersection_over_union(confusion) == pytest.approx(expected, rel=1e-9)
    assert mean_iou(confusion) == pytest.approx(sum(expected) / 3, rel=1e-9)
    stacked = intersection_over_union(np.stack([confusion, confusion.T]))
    assert stacked.shape == (2, 3)
    assert (stacked[0] == stacked[1]).all()


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, count=st.integers(0, 4))
def test_curve_equals_one_prediction_per_threshold(seed, count):
    rng = np.random.default_rng(seed)
    num_classes = 7
    total, plain = 0, np.zeros((len(CAM_THRESHOLDS), num_classes, num_classes), np.int64)
    for _ in range(2):
        label = random_labels(rng, num_classes)
        cams = critical_cams(rng, count)
        classes = rng.choice(num_classes - 1, count, replace=False)
        total = total + cam_statistics(label, cams, classes, CAM_THRESHOLDS, num_classes)
        for index, threshold in enumerate(CAM_THRESHOLDS):
            prediction = plain_prediction(cams, classes, threshold, num_classes)
            assert (predict_from_cams(cams, classes, threshold) == prediction).all()
            plain[index] += plain_confusion(label, prediction, num_classes)
    assert total.dtype == np.int64
    assert (confusions_from_statistics(total) == plain).all()
    curve = curve_from_statistics(total)
    assert curve.shape == (len(CAM_THRESHOLDS), num_classes)
    assert (curve == intersection_over_union(plain)).all()


def test_comparison_is_strict_and_in_float32():
    threshold = 0.1
    at = np.float32(threshold)
    # float32(0.1) is greater than the double 0.1: a comparison in float64 would let `at` win.
    assert float(at) > threshold
    cams = np.array([[[np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))]]])
    assert predict_from_cams(cams, [4], threshold).tolist() == [[0, 0, 5]]
    assert predict_from_cams(cams, [4], np.float64(threshold)).tolist() == [[0, 0, 5]]
    stats = cam_statistics(np.full((1, 3), 5), cams, [4], [threshold], 6)
    assert confusions_from_statistics(stats)[0, 5].tolist() == [2, 0, 0, 0, 0, 1]


def test_ties_go_to_the_lower_class_index_in_any_order():
    cams = np.full((2, 1, 1), 0.5, np.float32)
    assert predict_from_cams(cams, [12, 5], 0.25).tolist() == [[6]]
    assert predict_from_cams(cams, [5, 12], 0.25).tolist() == [[6]]
    assert predict_from_cams(cams, [5, 12], 0.25).dtype == np.uint8


def test_image_without_cams_is_background():
    label = np.array([[0, 3, 255]], np.uint8)
    cams, classes = np.zeros((0, 1, 3), np.float32), np.zeros(0, np.int64)
    assert predict_from_cams(cams, classes, 0.0).tolist() == [[0, 0, 0]]
    confusions = confusions_from_statistics(cam_statistics(label, cams, classes, CAM_THRESHOLDS, 4))
    expected = np.zeros((4, 4), np.int64)
    expected[0, 0] = expected[3, 0] = 1
    assert (confusions == expected).all()


LABEL = np.zeros((2, 3), np.uint8)
CAMS = np.zeros((2, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("label", "prediction", "num_classes", "message"),
    [
        (LABEL, LABEL[:1], 3, "shape"),
        (LABEL + 3, LABEL, 3, "label has value 3"),
        (LABEL + 254, LABEL, 3, "label has value 254"),
        (LABEL, LABEL + 3, 3, "prediction has value 3"),
        (LABEL, LABEL + 255, 3, "prediction has value 255"),
        (LABEL + 255, LABEL + 3, 3, "prediction has value 3"),
        (LABEL.astype(int) - 1, LABEL, 3, "label has value -1"),
        (LABEL, LABEL.astype(np.float32), 3, "integer"),
        (LABEL[0], LABEL[0], 3, "label must be"),
        (LABEL[:0], LABEL[:0], 3, "non-empty"),
        (LABEL, LABEL, 0, "num_classes"),
        (LABEL, LABEL, 256, "num_classes"),
    ],
)
def test_confusion_refuses_bad_input(label, prediction, num_classes, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(label, prediction, num_classes)


@pytest.mark.parametrize(
    ("label", "cams", "classes", "thresholds", "message"),
    [
        (LABEL[:1], CAMS, [0, 1], [0.1], "label has shape"),
        (LABEL + 3, CAMS, [0, 1], [0.1], "label has value 3"),
        (LABEL, CAMS, [0], [0.1], "classes"),
        (LABEL, CAMS[0], [0, 1], [0.1], "cams must be"),
        (LABEL, CAMS, [0, 2], [0.1], "classes must be integers in 0..1"),
        (LABEL, CAMS, [-1, 1], [0.1], "classes must be"),
        (LABEL, CAMS, [0.0, 1.0], [0.1], "integers"),
        (LABEL, CAMS, [1, 1], [0.1], "duplicates"),
        (LABEL, CAMS * np.nan, [0, 1], [0.1], "NaN"),
        (LABEL, CAMS, [0, 1], [], "thresholds"),
        (LABEL, CAMS, [0, 1], [0.2, 0.1], "ascending"),
        (LABEL, CAMS, [0, 1], [0.1, np.nan], "finite"),
    ],
)
def test_cam_statistics_refuses_bad_input(label, cams, classes, thresholds, message):
    with pytest.raises(ValueError, match=message):
        cam_statistics(label, cams, classes, thresholds, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: intersection_over_union(np.zeros((2, 3))), "confusion"),
        (lambda: mean_iou(np.zeros((2, 3, 3))), "confusion"),
        (lambda: curve_from_statistics(np.zeros((2, 3, 4))), "statistics"),
        (lambda: curve_from_statistics(np.zeros((3, 3, 1))), "statistics"),
        (lambda: predict_from_cams(CAMS, [0, 1], np.nan), "threshold"),
        (lambda: predict_from_cams(CAMS, [0, 254], 0.1), "classes"),
    ],
)
def test_other_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
