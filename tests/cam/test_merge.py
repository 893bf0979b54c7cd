"""Merging of multi-scale, mirrored class activation maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.methods.scaling import scale_by_maximum, scale_by_range
from hfpl.stages.cam.merge import merge_cams


def upsample(plane, size):
    """Bilinear with half-pixel centres, one output pixel at a time."""
    out = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            v = max((y + 0.5) * plane.shape[0] / size[0] - 0.5, 0)
            u = max((x + 0.5) * plane.shape[1] / size[1] - 0.5, 0)
            top, left = int(v), int(u)
            bottom = min(top + 1, plane.shape[0] - 1)
            right = min(left + 1, plane.shape[1] - 1)
            b, a = v - top, u - left
            upper = (1 - a) * plane[top, left] + a * plane[top, right]
            lower = (1 - a) * plane[bottom, left] + a * plane[bottom, right]
            out[y, x] = (1 - b) * upper + b * lower
    return out


def random_views(seed, classes, sizes):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(classes, *size, generator=generator) for size in sizes]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), height=st.integers(1, 9), width=st.integers(1, 9))
def test_merge_matches_loops(seed, height, width):
    views = random_views(seed, 2, [(3, 4), (height, width), (5, 1)])
    mirrored = [False, True, True]
    expected = np.zeros((2, height, width))
    for view, flipped in zip(views, mirrored, strict=True):
        for k in range(2):
            full = upsample(view[k].double().numpy(), (height, width))
            expected[k] += full[:, ::-1] if flipped else full
    result = merge_cams(views, mirrored, (height, width))
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-6)


def test_mirroring_every_view_mirrors_the_sum():
    views = random_views(0, 3, [(4, 5), (7, 6)])
    plain = merge_cams(views, [False, True], (11, 13))
    other = merge_cams(views, [True, False], (11, 13))
    torch.testing.assert_close(other, plain.flip(-1))
    assert not torch.equal(other, plain)


def test_labels_choose_the_classes_in_order():
    views = random_views(1, 4, [(4, 5), (3, 3)])
    every = merge_cams(views, [False, True], (6, 7))
    some = merge_cams(views, [False, True], (6, 7), torch.tensor([0.0, 1.0, 0.0, 1.0]))
    assert torch.equal(some, every[[1, 3]])


def test_no_class_gives_no_map():
    merged = merge_cams(random_views(2, 3, [(4, 5)]), [False], (6, 7), torch.zeros(3))
    assert merged.shape == (0, 6, 7)
    assert scale_by_range(merged).shape == (0, 6, 7)


def test_scale_by_range_by_hand():
    # Class 0: minimum 0 after the negatives; class 1: minimum 2, one value within 1e-5 of it.
    cams = torch.tensor([[[-1.0, 0.0, 5e-6, 4.0]], [[2.0, 2.000005, 3.0, 6.0]]])
    first = [-1e-5 / 4.00001] * 3 + [(4 - 1e-5) / 4.00001]
    second = [-2.00001 / 4.00001] * 2 + [0.99999 / 4.00001, 3.99999 / 4.00001]
    expected = np.array([[first], [second]])
    np.testing.assert_allclose(scale_by_range(cams).numpy(), expected, rtol=1e-5, atol=1e-9)


def test_scaling_leaves_its_input_and_gives_float32():
    cams = torch.tensor([[[-1.0, 3.0]]], dtype=torch.float64)
    assert scale_by_range(cams).dtype == torch.float32
    assert cams[0, 0, 0] == -1


def test_a_class_without_activation_is_minus_one():
    assert torch.equal(scale_by_range(-torch.ones(1, 2, 2)), -torch.ones(1, 2, 2))


@pytest.mark.parametrize(
    ("cams", "mirrored", "labels", "message"),
    [
        ([], [], None, "no class activation maps"),
        ([torch.ones(2, 3, 3)], [False, True], None, "1 maps but 2"),
        ([torch.ones(2, 3, 3), torch.ones(3, 3, 3)], [False, True], None, "every map"),
        ([torch.ones(2, 3, 3)], [False], torch.ones(3), "labels must be"),
    ],
)
def test_merge_refuses_what_does_not_fit(cams, mirrored, labels, message):
    with pytest.raises(ValueError, match=message):
        merge_cams(cams, mirrored, (3, 3), labels)


def test_scale_by_maximum_by_hand():
    cams = torch.tensor([[[-1.0, 0.0, 1.0, 4.0]], [[-2.0, -1.0, 0.0, 0.0]]], dtype=torch.float64)
    expected = np.array([[[0.0, 0.0, 1 / 4.00001, 4 / 4.00001]], [[0.0, 0.0, 0.0, 0.0]]])
    found = scale_by_maximum(cams)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert cams[0, 0, 0] == -1
    assert scale_by_maximum(cams[:0]).shape == (0, 1, 4)


@pytest.mark.parametrize("scale", [scale_by_range, scale_by_maximum])
@pytest.mark.parametrize("shape", [(3, 3), (1, 0, 3)])
def test_scaling_refuses_what_is_no_map(scale, shape):
    with pytest.raises(ValueError, match="maps must be"):
        scale(torch.ones(shape))
