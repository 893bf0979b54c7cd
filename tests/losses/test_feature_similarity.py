"""Feature similarity loss against the sum over all pairs."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.losses import (
    class_activations,
    feature_similarity_loss,
    laplacian,
)
from tests.plain.feature_similarity import pairwise_loss

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_case(images: int, channels: int, height: int, width: int, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    image = torch.rand(images, 3, height, width, generator=g) * 1.2 - 0.1
    return image, torch.rand(images, channels, height, width, generator=g)


def exact_loss(image, activations, mu: float, sigma: float | None):
    """The definition in float64."""
    return pairwise_loss(image, activations.double(), mu, sigma)


def value_and_gradient(function, image, activations, mu, sigma):
    activations = activations.clone().requires_grad_()
    loss = function(image, activations, mu, sigma)
    loss.backward()
    return loss.item(), activations.grad


def fast_loss(image, activations, mu, sigma):
    return feature_similarity_loss(image, activations, mu=mu, sigma=sigma)


def assert_same(image, activations, mu, sigma, tolerance=2e-6):
    value, gradient = value_and_gradient(fast_loss, image, activations, mu, sigma)
    expected, expected_gradient = value_and_gradient(exact_loss, image, activations, mu, sigma)
    # Attraction and repulsion cancel in the loss but not in its rounding errors: these are as
    # large as with all pairs repelling.
    scale, gradient_scale = value_and_gradient(exact_loss, image, activations, 300.0, sigma)
    assert abs(value - expected) <= tolerance * abs(scale)
    assert (gradient - expected_gradient).abs().max() <= tolerance * gradient_scale.abs().max()


@settings(deadline=None, max_examples=25)
@given(
    images=st.integers(1, 3),
    channels=st.integers(1, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    mu=st.floats(-4, 12),
    sigma=st.none() | st.floats(0.3, 20),
    block=st.sampled_from([1, 100, 1000, 1 << 18]),
    seed=st.integers(0, 10**6),
)
def test_equals_the_sum_over_all_pairs(images, channels, height, width, mu, sigma, block, seed):
    image, activations = make_case(images, channels, height, width, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplacian, "CPU_BLOCK_PAIRS", block)
        assert_same(image, activations, mu, sigma)


@pytest.mark.parametrize(
    ("shape", "sigma"),
    [((1, 2, 24, 24), 5.0), ((2, 3, 40, 6), 2.0), ((1, 3, 30, 25), 3.3), ((1, 2, 6, 48), 2.0)],
)
def test_leaving_out_far_rows_stays_below_float32_rounding(shape, sigma, monkeypatch):
    # One row per block, because larger blocks reach further than they must.
    monkeypatch.setattr(laplacian, "CPU_BLOCK_PAIRS", 1)
    image, activations = make_case(*shape)
    assert_same(image, activations, 2.5, sigma)


def test_far_rows_of_a_uniform_image_hold_less_than_a_millionth(monkeypatch):
    monkeypatch.setattr(laplacian, "CPU_BLOCK_PAIRS", 1)
    # Every colour term is -1 here, so that nothing cancels what is left out, and one edge across
    # the map gives the far rows the most weight.
    activations = torch.zeros(1, 1, 80, 3, dtype=torch.float64)
    activations[:, :, :40] = 1
    image = torch.full((1, 3, 80, 3), 0.5, dtype=torch.float64)
    value, _ = value_and_gradient(fast_loss, image, activations, 2.5, 5.0)
    expected, _ = value_and_gradient(exact_loss, image, activations, 2.5, 5.0)
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mu", [-300.0, -15.0, 15.0, 300.0])
def test_saturated_threshold(mu):
    image, activations = make_case(1, 2, 5, 6)
    image[:, :, 0] = 0.5
    assert_same(image, activations, mu, 5.0)


@pytest.mark.parametrize("repel", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("sigma", [2.0, None])
def test_only_pairs_that_repel_are_scaled(repel, sigma):
    image, activations = make_case(2, 3, 9, 8)
    image[:, :, 3:5] = 0.5  # pairs that attract as well
    value, gradient = value_and_gradient(
        lambda *case: feature_similarity_loss(*case[:2], mu=1.0, sigma=sigma, repel=repel),
        image, activations, 1.0, sigma,
    )  # fmt: skip
    expected, expected_gradient = value_and_gradient(
        lambda *case: pairwise_loss(case[0], case[1].double(), 1.0, sigma, repel),
        image, activations, 1.0, sigma,
    )  # fmt: skip
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


def test_without_repelling_pairs_no_edge_is_a_gain():
    # Two halves of unlike colours, active on one side: the paper's loss rewards the edge.
    image = torch.zeros(1, 3, 8, 8)
    image[..., 4:] = 1
    activations = torch.zeros(1, 1, 8, 8)
    activations[..., 4:] = 1
    assert feature_similarity_loss(image, activations, sigma=2.0) < -0.05
    assert feature_similarity_loss(image, activations, sigma=2.0, repel=0.0).abs() < 1e-6


@pytest.mark.parametrize("sigma", [5.0, None])
def test_gradient_check_in_float64(sigma):
    image, activations = make_case(2, 3, 4, 5)
    activations = activations.double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda y: feature_similarity_loss(image, y, sigma=sigma), activations
    )


def test_gradient_is_scaled_by_what_comes_from_above():
    image, activations = make_case(1, 2, 4, 5)
    activations.requires_grad_()
    (3 * feature_similarity_loss(image, activations)).backward()
    _, gradient = value_and_gradient(fast_loss, image, activations.detach(), 2.5, 5.0)
    torch.testing.assert_close(activations.grad, 3 * gradient)


def test_absent_classes_change_nothing():
    image, activations = make_case(3, 3, 7, 6)
    spread = torch.zeros(3, 9, 7, 6)
    places = [(0, 4, 8), (0, 1, 2), (0, 7, 3)]
    for n, place in enumerate(places):
        spread[n, list(place)] = activations[n]
    value, gradient = value_and_gradient(fast_loss, image, activations, 2.5, 5.0)
    wide, wide_gradient = value_and_gradient(fast_loss, image, spread, 2.5, 5.0)
    assert wide == pytest.approx(value, rel=1e-6)
    for n, place in enumerate(places):
        torch.testing.assert_close(wide_gradient[n, list(place)], gradient[n])
        rest = [c for c in range(9) if c not in place]
        assert (wide_gradient[n, rest] == 0).all()


def test_image_without_any_class_costs_nothing():
    image, scores = make_case(2, 4, 6, 5)
    labels = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 1]])
    scores.requires_grad_()
    activations = class_activations(scores, labels)
    assert torch.equal(activations[0, 0], torch.ones(6, 5))
    feature_similarity_loss(image, activations).backward()
    assert (scores.grad[0] == 0).all()
    assert (scores.grad[1, [1, 3]] != 0).any(2).any(1).all()
    nothing = class_activations(scores.detach(), torch.zeros(2, 4)).requires_grad_()
    loss = feature_similarity_loss(image, nothing)
    loss.backward()
    assert loss.item() == 0
    assert (nothing.grad == 0).all()


def test_adding_a_constant_to_a_map_changes_nothing():
    image, activations = make_case(2, 3, 8, 8)
    value, gradient = value_and_gradient(fast_loss, image, activations, 2.5, 5.0)
    moved, moved_gradient = value_and_gradient(fast_loss, image, activations + 100, 2.5, 5.0)
    # The sum itself is rounded to 4e-6 by float32.
    assert moved == pytest.approx(value, rel=1e-3)
    torch.testing.assert_close(moved_gradient, gradient, rtol=0, atol=1e-3 * gradient.max())


def test_broken_numbers_are_not_hidden():
    image, activations = make_case(1, 2, 4, 4)
    activations[0, 1, 2, 2] = math.nan
    assert feature_similarity_loss(image, activations).isnan()


def test_gradient_reaches_the_activations_only():
    image, activations = make_case(1, 2, 4, 4)
    image.requires_grad_()
    assert not feature_similarity_loss(image, activations).requires_grad
    activations.requires_grad_()
    feature_similarity_loss(image, activations).backward()
    assert image.grad is None
    assert activations.grad is not None


def test_half_precision_and_autocast_compute_in_float32():
    image, activations = make_case(2, 3, 9, 7)
    image, activations = image.bfloat16(), activations.bfloat16()
    exact, exact_gradient = value_and_gradient(
        fast_loss, image.float(), activations.float(), 2.5, 5.0
    )
    leaf = activations.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = feature_similarity_loss(image, leaf)
        again = class_activations(leaf, torch.ones(2, 3))
    loss.backward()
    assert loss.dtype == again.dtype == torch.float32
    assert loss.item() == exact
    torch.testing.assert_close(leaf.grad, exact_gradient.bfloat16(), rtol=0, atol=0)


def test_keeps_nothing_of_the_pairs_for_the_backward_pass():
    image, activations = make_case(2, 3, 12, 12)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        feature_similarity_loss(image, activations.requires_grad_()).backward()
    assert saved == [activations.numel()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sigma", [5.0, None])
def test_cuda_agrees_with_the_cpu_without_waiting(sigma):
    image, activations = make_case(2, 5, 40, 33)
    value, gradient = value_and_gradient(fast_loss, image, activations, 2.5, sigma)
    leaf, colours = activations.cuda().requires_grad_(), image.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = feature_similarity_loss(colours, leaf, sigma=sigma)
        loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert loss.item() == pytest.approx(value, rel=1e-4)
    torch.testing.assert_close(leaf.grad.cpu(), gradient, rtol=0, atol=1e-5 * gradient.max())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"sigma": math.nan}, "sigma must be positive"),
        ({"mu": math.inf}, "mu must be finite"),
        ({"repel": -0.1}, "repel must be finite and not negative"),
        ({"repel": math.nan}, "repel must be finite and not negative"),
        ({"image": torch.zeros(2, 3, 5, 4)}, "image must be 2 x 3 x 4 x 5"),
        ({"image": torch.zeros(2, 1, 4, 5)}, "image must be 2 x 3 x 4 x 5"),
        ({"image": torch.zeros(2, 3, 4, 5, dtype=torch.uint8)}, "image must be floating point"),
        ({"activations": torch.zeros(2, 4, 5)}, "activations must be N x C x h x w"),
        ({"activations": torch.zeros(2, 0, 4, 5)}, "without empty dimensions"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {"image": torch.zeros(2, 3, 4, 5), "activations": torch.zeros(2, 6, 4, 5)}
    with pytest.raises(ValueError, match=message):
        feature_similarity_loss(**(arguments | changes))
