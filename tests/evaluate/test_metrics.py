"""What holds for every metric: counts add up, and a perfect prediction has full marks."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.metrics import build_metric, columns_of, metrics_in
from hfpl.sections.plugins import plugin_names
from hfpl.stages.evaluate.score import counts_of, scores_of

METRICS = plugin_names("hfpl.plugins.metrics")
NUM_CLASSES = 4


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ground truth with void, and a prediction, of one size."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(3, 24, 2)
    coarse = rng.integers(0, NUM_CLASSES, (2, 4, 4)).astype(np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in shape)
    label, prediction = (grid[np.ix_(rows, columns)] for grid in coarse)
    label[rng.random(label.shape) < 0.1] = 255
    return label, prediction


def test_there_are_three():
    assert METRICS == ["boundary_iou", "contour_f", "miou"]


@pytest.mark.parametrize("name", METRICS)
def test_the_first_column_has_the_name_of_the_file(name):
    columns = columns_of(name)
    assert columns.means[0] == name
    metric = build_metric(name, NUM_CLASSES)
    scores = metric.scores(metric.counts(*pair(0)))
    assert len(scores) == len(columns.means)
    assert {len(of_classes) for of_classes in scores} <= {NUM_CLASSES - 1, NUM_CLASSES}


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_counts_are_whole_numbers_of_one_shape_and_scores_lie_between_0_and_1(name, seed):
    metric = build_metric(name, NUM_CLASSES)
    counts = [metric.counts(*pair(s)) for s in (seed, seed + 1)]
    assert counts[0].dtype == counts[1].dtype == np.int64
    assert counts[0].shape == counts[1].shape
    for of_set in (*counts, counts[0] + counts[1]):
        assert all(0 <= value <= 1 for of_classes in metric.scores(of_set) for value in of_classes)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), times=st.integers(2, 5))
def test_a_set_of_one_image_several_times_scores_as_the_image(name, seed, times):
    metric = build_metric(name, NUM_CLASSES)
    counts = metric.counts(*pair(seed))
    once, often = metric.scores(counts), metric.scores(counts * times)
    assert np.array(once) == pytest.approx(np.array(often), abs=1e-9)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_perfect_prediction_has_full_marks_for_the_classes_that_are_there(name, seed):
    label, _ = pair(seed)
    # Contour F takes void as background, in the ground truth alone.
    perfect = np.where(label == 255, 0, label)
    metric = build_metric(name, NUM_CLASSES)
    per_class, *_ = metric.scores(metric.counts(label, perfect))
    present = np.array([(label == k).any() for k in range(NUM_CLASSES)])[-len(per_class) :]
    assert per_class[present] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        (np.zeros((3, 4), int), np.zeros((4, 3), int), "shape"),
        (np.full((3, 4), 4), np.zeros((3, 4), int), "label has value 4"),
        (np.zeros((3, 4), int), np.full((3, 4), 255), "prediction has value 255"),
        (np.zeros((3, 4), int), np.zeros((3, 4)), "integer"),
    ],
)
def test_maps_that_do_not_fit_are_refused(name, label, prediction, message):
    with pytest.raises(ValueError, match=message):
        build_metric(name, NUM_CLASSES).counts(label, prediction)


def test_scores_follow_from_the_counts_of_a_file():
    classes = ("cat", "dog", "cow")
    counts = {
        name: sum(build_metric(name, NUM_CLASSES).counts(*pair(seed)) for seed in range(3))
        for name in METRICS
    }
    kept = json.loads(json.dumps(counts_of(counts)))
    seen = np.ones(NUM_CLASSES, bool)
    found = scores_of(kept, classes, seen)
    assert found == scores_of(counts, classes, seen)
    assert list(found["boundary_iou_per_class"]) == ["background", *classes]
    assert list(found["contour_f_per_class"]) == list(classes)
    assert 0 < found["boundary_iou"] < 100


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), unseen=st.integers(1, NUM_CLASSES - 1))
def test_a_class_without_ground_truth_counts_in_no_mean(name, seed, unseen):
    label, prediction = pair(seed)
    label = np.where(label == unseen, 0, label)
    metric, columns = build_metric(name, NUM_CLASSES), columns_of(name)
    counts = metric.counts(label, prediction)
    seen = np.array([(label == k).any() for k in range(NUM_CLASSES)])
    found = scores_of({name: counts}, ("cat", "dog", "cow"), seen)
    per_class = found[columns.per_class]
    assert per_class[("background", "cat", "dog", "cow")[unseen]] is None
    known = [score for score in per_class.values() if score is not None]
    if known:
        assert found[name] == pytest.approx(np.mean(known), abs=1e-3)


def test_a_row_tells_which_metrics_it_holds():
    row = dict.fromkeys(["contour_f", "split", "images", "boundary_iou", "miou", "contour_recall"])
    assert metrics_in(row) == ["miou", "boundary_iou", "contour_f"]
    assert metrics_in({"split": "val"}) == []
