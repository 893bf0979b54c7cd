"""Zones, classes and sizes of the study of where CAMs are right."""

import numpy as np
import pytest

from hfpl.plugins.metrics.contour_f import contour_radius
from studies.where import NEXT, SIZES, ZONES, Found, add, size_of, tables, zones

SHAPE = (120, 160)


def scene() -> np.ndarray:
    truth = np.zeros(SHAPE, np.uint8)
    truth[30:90, 40:100] = 2
    truth[0:5, 0:5] = 255
    return truth


def test_zones_divide_what_is_scored_by_the_distance_to_the_contour():
    truth, found = scene(), list(zones(scene()))
    assert len(found) == len(ZONES)
    assert np.array_equal(sum(zone.astype(int) for zone in found), (truth != 255).astype(int))
    radius = contour_radius(*SHAPE)
    inside, contour, beside, far = found
    assert inside[30 + radius, 70]
    assert contour[30 + radius - 1, 70]
    assert contour[30 - radius, 70]
    assert beside[30 - radius - 1, 70]
    assert beside[60, 99 + NEXT * radius]
    assert far[60, 100 + NEXT * radius]


def test_an_image_without_objects_is_elsewhere_and_one_of_an_object_alone_inside():
    *rest, far = zones(np.zeros(SHAPE, np.uint8))
    assert far.all()
    assert not any(zone.any() for zone in rest)
    inside, *rest = zones(np.full(SHAPE, 3, np.uint8))
    assert inside.all()
    assert not any(zone.any() for zone in rest)


def test_counts_are_those_of_the_definition():
    truth = scene()
    labels = np.zeros(SHAPE, np.uint8)
    labels[30:90, 40:70] = 2
    labels[110:, :] = 1
    labels[0:5, 0:5] = 1  # not scored
    found = Found(np.zeros((4, 3), int), *np.zeros((3, 2), int))
    add(found, truth, labels)
    assert found.zones[:, 0].sum() == (truth != 255).sum()
    assert found.zones[:, 1].sum() == ((labels == truth) & (truth != 255)).sum()
    assert found.zones[:, 2].sum() == ((labels > 0) & (truth != 255)).sum()
    assert (found.hits.tolist(), found.shown.tolist()) == ([0, 1800], [0, 3600])
    assert found.claimed.tolist() == [1600, 1800]
    assert found.sizes == {**{name: [] for name in SIZES}, "10 to 30 %": [0.5]}
    lines = list(tables({"cam": found}, ["cat", "dog"]))
    assert "| cam | 0.0 / 0.0 | 50.0 / 100.0 |" in lines
    assert lines[-1] == "| cam | nan | 50.0 | nan |"


@pytest.mark.parametrize(
    ("share", "name"),
    [(0.0, "below 10 %"), (0.0999, "below 10 %"), (0.1, "10 to 30 %"), (1.0, "above 30 %")],
)
def test_sizes_have_no_gap(share, name):
    assert size_of(share) == name
