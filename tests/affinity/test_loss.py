"""Affinity loss."""

import math

import pytest
import torch

from hfpl.stages.affinity.loss import affinity_loss


def random_case(seed):
    generator = torch.Generator().manual_seed(seed)
    affinity = torch.rand(2, 4, 5, generator=generator, dtype=torch.float64)
    kind = torch.randint(0, 4, affinity.shape, generator=generator)
    return affinity, kind


@pytest.mark.parametrize("seed", range(5))
def test_loss_matches_loops_over_the_whole_batch(seed):
    affinity, kind = random_case(seed)
    sums, counts = [0.0] * 3, [0] * 3
    for a, k in zip(affinity.flatten().tolist(), kind.flatten().tolist(), strict=True):
        if k < 3:
            sums[k] -= math.log(1 + 1e-5 - a) if k == 2 else math.log(a + 1e-5)
            counts[k] += 1
    means = [s / (n + 1e-5) for s, n in zip(sums, counts, strict=True)]
    expected = means[0] / 4 + means[1] / 4 + means[2] / 2
    loss = affinity_loss(affinity, kind == 0, kind == 1, kind == 2)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_whole_number_masks_are_taken_like_bool():
    affinity, kind = random_case(9)
    masks = [kind == k for k in range(3)]
    expected = affinity_loss(affinity, *masks)
    assert affinity_loss(affinity, *(mask.to(torch.uint8) for mask in masks)) == expected


def test_empty_sets_cost_nothing():
    none = torch.zeros(1, 2, 3, dtype=torch.bool)
    assert affinity_loss(torch.rand(1, 2, 3), none, none, none) == 0


def test_extreme_affinities_stay_finite():
    affinity = torch.tensor([[[0.0, 1.0, 0.0, 1.0]]], requires_grad=True)
    bg = torch.tensor([[[True, True, False, False]]])
    loss = affinity_loss(affinity, bg, torch.zeros_like(bg), ~bg)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(affinity.grad).all()


def test_mask_of_another_shape_is_refused():
    mask = torch.ones(1, 2, 3)
    with pytest.raises(ValueError, match="fg_pos must be"):
        affinity_loss(torch.rand(1, 2, 3), mask, mask[0], mask)
