"""The operations that hours are estimated from, against a count by hand."""

import pytest
from torch import nn

from benchmarks.operations import PRESETS, forward, operations, views


def test_a_pass_is_counted_as_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 1)).to(
        "meta"
    )
    by_hand = 2 * 10 * 12 * (3 * 8 * 9 + 8 * 4)
    assert forward(network, (10, 12)) == by_hand


def test_views_are_scales_and_their_mirror_images():
    assert views([0.5, 1.0, 2.0]) == 2 * (0.25 + 1 + 4)


def test_operations_of_voc_are_the_backbone_s_by_the_preset_s_numbers():
    found = operations("voc2012", PRESETS["voc2012"])
    crop = 0.798114709504e12  # ResNet-38 on 448 x 448 pixels
    assert found["affinity, training"] == pytest.approx(3 * crop * 8 * 10_582)
    assert found["cam, training"] == pytest.approx(3 * crop * 8 * 10_582 * 1.09)
    assert found["segment, training"] == pytest.approx(3 * crop * 20_000 * 10)
    one = found["walk"] / (10_582 + 1_449)
    assert found["cam, inference"] == pytest.approx(15 * one * (10_582 + 1_449))
