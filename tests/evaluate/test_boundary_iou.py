"""Boundary IoU against distances, pixel by pixel."""

import numpy as np
import pytest
from scipy import ndimage

from hfpl.plugins.metrics.boundary_iou import boundary_counts, boundary_iou, boundary_width


def plain_region(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels whose chessboard distance to the outside, the frame included, is at most ``width``."""
    framed = np.pad(mask, 1)
    distance = ndimage.distance_transform_cdt(framed, "chessboard")[1:-1, 1:-1]
    return mask & (distance <= width)


def plain_counts(label: np.ndarray, prediction: np.ndarray, num_classes: int) -> list[list[int]]:
    width = max(1, int(round(0.02 * np.sqrt(label.shape[0] ** 2 + label.shape[1] ** 2))))
    prediction = np.where(label == 255, 255, prediction)
    found = []
    for k in range(num_classes):
        regions = [plain_region(mask == k, width) for mask in (label, prediction)]
        found.append([int((regions[0] & regions[1]).sum()), int((regions[0] | regions[1]).sum())])
    return found


def blobs(rng: np.random.Generator, shape: tuple[int, int], num_classes: int) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    for _ in range(6):
        y, x = (rng.integers(0, side) for side in shape)
        high, wide = (rng.integers(1, side + 1) for side in shape)
        mask[y : y + high, x : x + wide] = rng.integers(0, num_classes)
    return mask


@pytest.mark.parametrize("shape", [(9, 13), (1, 7), (60, 80), (150, 120)])
@pytest.mark.parametrize("void", [0.0, 0.03])
def test_counts_are_those_of_distances(shape, void):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        label, prediction = (blobs(rng, shape, 4) for _ in range(2))
        label[rng.random(shape) < void] = 255
        found = boundary_counts(label, prediction, 4)
        assert found.dtype == np.int64
        assert found.tolist() == plain_counts(label, prediction, 4)


def test_the_region_is_as_wide_as_the_paper_says():
    # int(round(0.02 * diagonal)) of the paper's code, at least 1.
    assert [boundary_width(*s) for s in ((3, 4), (375, 500), (333, 500), (1024, 2048))] == [
        1, 12, 12, 46,
    ]  # fmt: skip


def test_a_hand_counted_square_moved_by_one_pixel():
    label, prediction = np.zeros((2, 12, 12), np.uint8)
    label[3:8, 3:8] = 1
    prediction[3:8, 4:9] = 1
    # One pixel wide: rings of 16 pixels. They share the rows above and below, 4 pixels each; the
    # middle rows' edges lie beside each other.
    assert boundary_width(12, 12) == 1
    assert boundary_counts(label, prediction, 2)[1].tolist() == [8, 24]


def test_what_is_predicted_on_void_changes_nothing():
    label = np.zeros((30, 30), np.uint8)
    label[8:22, 8:22] = 255
    label[10:20, 10:20] = 1
    prediction = np.where(label == 1, 1, 0)
    other = np.where(label == 255, 1, prediction)
    counts = boundary_counts(label, prediction, 2)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert counts.tolist() == boundary_counts(label, other, 2).tolist()


def test_a_class_that_is_nowhere_scores_0_as_for_miou():
    assert boundary_iou(np.array([[3, 4], [0, 0]])).tolist() == pytest.approx([0.75, 0.0])
