"""Offsets, positions and affinities of pixel pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.stages.affinity import pairs
from hfpl.stages.affinity.pairs import (
    from_positions,
    largest_radius,
    pair_affinity,
    pair_indices,
    pair_offsets,
    to_positions,
)

small_maps = st.tuples(st.integers(1, 9), st.integers(1, 12), st.integers(1, 5)).filter(
    lambda case: case[0] >= case[2] and case[1] >= 2 * case[2] - 1
)


def plain_pairs(height, width, radius):
    """(offset, (y, x), (y', x')) in the order of docs/method.md, 4.1, by loops."""
    offsets = [(0, dx) for dx in range(1, radius)]
    for dy in range(1, radius):
        for dx in range(-radius, radius + 1):
            if dx**2 + dy**2 < radius**2:
                offsets.append((dy, dx))
    return [
        [
            ((y, x), (y + dy, x + dx))
            for y in range(height - (radius - 1))
            for x in range(radius - 1, width - (radius - 1))
        ]
        for dy, dx in offsets
    ]


def plain_affinity(features, radius):
    """Autograd's own version, with every pair gathered."""
    rows = plain_pairs(*features.shape[-2:], radius)
    out = []
    for row in rows:
        (y, x), (v, u) = (torch.tensor([pair[end] for pair in row]).T for end in (0, 1))
        distance = (features[:, :, y, x] - features[:, :, v, u]).abs().mean(1)
        out.append(torch.exp(-distance))
    return torch.stack(out, dim=1)


def test_radius_five_has_34_offsets_in_order():
    offsets = pair_offsets(5)
    assert len(offsets) == 34
    assert offsets[:4] == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert offsets[4:13] == [(1, dx) for dx in range(-4, 5)]
    assert offsets[-5:] == [(4, dx) for dx in range(-2, 3)]


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 6])
def test_offsets_cover_half_of_the_disk_once(radius):
    half = pair_offsets(radius)
    both = half + [(-dy, -dx) for dy, dx in half]
    reach = range(-radius, radius + 1)
    disk = {(y, x) for y in reach for x in reach if 0 < x * x + y * y < radius**2}
    assert len(both) == len(set(both))
    assert set(both) == disk


@settings(deadline=None, max_examples=50)
@given(case=small_maps)
def test_indices_and_views_match_loops(case):
    height, width, radius = case
    start, ends = pair_indices(height, width, radius)
    index = torch.arange(height * width).view(height, width)
    expected = plain_pairs(height, width, radius)
    assert ends.shape == (len(expected), (height - radius + 1) * (width - 2 * radius + 2))
    np.testing.assert_array_equal(start, from_positions(index, radius).flatten())
    for offset, row, end in zip(pair_offsets(radius), expected, ends, strict=True):
        assert start.tolist() == [y * width + x for (y, x), _ in row]
        assert end.tolist() == [y * width + x for _, (y, x) in row]
        np.testing.assert_array_equal(end, to_positions(index, radius, offset).flatten())


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 7))
def test_largest_radius_is_the_largest_that_fits(height, width, radius):
    fitting = [r for r in range(1, radius + 1) if height - (r - 1) > 0 and width - 2 * (r - 1) > 0]
    assert largest_radius(height, width, radius) == max(fitting)


@settings(deadline=None, max_examples=25)
@given(
    case=small_maps.filter(lambda case: case[2] > 1),
    images=st.integers(1, 3),
    channels=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_affinity_and_gradient_match_autograd(case, images, channels, seed):
    height, width, radius = case
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(images, channels, height, width, generator=generator)
    features = features.double().requires_grad_()
    result, expected = pair_affinity(features, radius), plain_affinity(features, radius)
    torch.testing.assert_close(result, expected)
    weight = torch.randn(expected.shape, generator=generator).double()
    (gradient,) = torch.autograd.grad((result * weight).sum(), features)
    (wanted,) = torch.autograd.grad((expected * weight).sum(), features)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize(
    "blocks_of",
    [
        lambda maps: [
            (slice(0, 1), maps[:1, :3]),
            (slice(1, 2), maps[1:]),
            (slice(0, 1), maps[:1, 3:]),
        ],
        # As on a GPU.
        lambda maps: [(slice(None), maps)],
    ],
)
def test_result_does_not_depend_on_the_blocks(monkeypatch, blocks_of):
    features = torch.randn(2, 7, 6, 8, generator=torch.Generator().manual_seed(0))
    features.requires_grad_()
    whole = pair_affinity(features, 3)
    (wanted,) = torch.autograd.grad(whole.square().sum(), features)
    monkeypatch.setattr(pairs, "_blocks", blocks_of)
    blocks = pair_affinity(features, 3)
    (gradient,) = torch.autograd.grad(blocks.square().sum(), features)
    torch.testing.assert_close(blocks, whole)
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("values", [1, 18, 43, 2 * 42, 5 * 42])
def test_cpu_blocks_cover_every_channel_of_every_image_once(monkeypatch, values):
    monkeypatch.setattr(pairs, "CPU_BLOCK", values)
    maps = torch.zeros(3, 7, 2, 3)
    for part, block in pairs._blocks(maps):
        assert block.shape[0] == len(range(3)[part])
        assert block.numel() <= max(values, 6)
        block += 1
    assert torch.equal(maps, torch.ones_like(maps))


def test_equal_features_have_affinity_one_and_no_gradient():
    features = torch.ones(1, 3, 5, 9, requires_grad=True)
    affinity = pair_affinity(features, 5)
    assert torch.equal(affinity, torch.ones(1, 34, 1))
    affinity.sum().backward()
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_radius_one_has_no_pairs():
    assert pair_affinity(torch.ones(2, 3, 4, 5), 1).shape == (2, 0, 20)


@pytest.mark.parametrize("size", [(4, 9), (5, 8)])
def test_a_map_too_small_is_refused(size):
    with pytest.raises(ValueError, match="too small for radius 5"):
        pair_affinity(torch.ones(1, 2, *size), 5)
    with pytest.raises(ValueError, match="too small for radius 5"):
        pair_indices(*size, 5)
    with pytest.raises(ValueError, match="too small for radius 5"):
        from_positions(torch.ones(size), 5)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="radius must be at least 1"):
        pair_offsets(0)
    with pytest.raises(ValueError, match="no radius fits"):
        largest_radius(0, 3, 2)
    with pytest.raises(ValueError, match="features must be"):
        pair_affinity(torch.ones(2, 9, 9), 3)
