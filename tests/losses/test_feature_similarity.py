"""Feature similarity loss against reference arrays and against the sum over all pairs."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.losses import (
    FeatureSimilarityLoss,
    class_activations,
    denormalise_image,
    feature_image,
    feature_similarity_loss,
    laplacian,
    max_norm,
)

REFERENCE = Path(__file__).parents[1] / "reference"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_case(images: int, channels: int, height: int, width: int, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    image = torch.rand(images, 3, height, width, generator=g) * 1.2 - 0.1
    return image, torch.rand(images, channels, height, width, generator=g)


def pairwise_loss(image, activations, mu: float, sigma: float | None):
    """The definition, one pair tensor of size N x C x hw x hw, in float64 with autograd."""
    count, _, height, width = activations.shape
    x = image.double().clamp(0, 1).flatten(2)
    y = activations.double().flatten(2)
    distance = ((x[..., :, None] - x[..., None, :]).abs().sum(1) / 3).clamp(0, 1)
    weight = torch.tanh(mu + torch.log((distance + 1e-5) / (1 - distance + 1e-5)))
    if sigma is None:
        gaussian = torch.tensor(1 / (height * width), dtype=torch.float64)
    else:
        at = torch.cartesian_prod(torch.arange(height), torch.arange(width)).double()
        at = at.view(-1, 2)
        squared = (at[:, None] - at[None]).pow(2).sum(2)
        gaussian = torch.exp(-0.5 * squared / sigma**2) / (2 * math.pi * sigma**2)
    energy = 0.5 * (y[..., :, None] - y[..., None, :]).pow(2).sum(1)
    return -(gaussian * energy * weight).sum() / (count * height * width)


def value_and_gradient(function, image, activations, mu, sigma):
    activations = activations.clone().requires_grad_()
    loss = function(image, activations, mu, sigma)
    loss.backward()
    return loss.item(), activations.grad


def fast_loss(image, activations, mu, sigma):
    return feature_similarity_loss(image, activations, mu=mu, sigma=sigma)


def assert_same(image, activations, mu, sigma, tolerance=1e-5):
    value, gradient = value_and_gradient(fast_loss, image, activations, mu, sigma)
    expected, expected_gradient = value_and_gradient(pairwise_loss, image, activations, mu, sigma)
    # Attraction and repulsion cancel in the loss but not in its rounding errors.
    scale = max(abs(expected), activations.shape[1] * 0.01)
    assert abs(value - expected) <= tolerance * scale
    largest = expected_gradient.abs().max()
    assert (gradient - expected_gradient).abs().max() <= tolerance * largest


@pytest.mark.parametrize("case", range(5))
def test_reference_arrays(case):
    with np.load(REFERENCE / "feature_similarity.npz", allow_pickle=False) as arrays:
        image, activations, gradient = (
            torch.from_numpy(arrays[f"{name}{case}"]) for name in ("x", "y", "grad_y")
        )
        mu, sigma, loss = (float(arrays[f"{name}{case}"]) for name in ("mu", "sigma", "loss"))
    sigma = None if math.isnan(sigma) else sigma
    value, ours = value_and_gradient(fast_loss, image, activations, mu, sigma)
    assert value == pytest.approx(loss, rel=1e-5)
    assert (ours - gradient).abs().max() <= 1e-5 * gradient.abs().max()


def test_reference_of_the_whole_chain_from_image_and_logits():
    with np.load(REFERENCE / "feature_similarity_seam.npz", allow_pickle=False) as arrays:
        image, labels, logits, gradient = (
            torch.from_numpy(arrays[name])
            for name in ("image", "labels", "logits1", "grad_logits1")
        )
        loss = float(arrays["loss_fsl"])
    logits.requires_grad_()
    colours = feature_image(image, logits.shape[2:], MEAN, STD)
    value = FeatureSimilarityLoss()(colours, class_activations(logits[:, 1:], labels))
    value.backward()
    assert value.item() == pytest.approx(loss, rel=1e-5)
    assert (logits.grad - gradient).abs().max() <= 1e-5 * gradient.abs().max()


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
def test_leaving_out_far_rows_stays_below_float32_rounding(shape, sigma):
    image, activations = make_case(*shape)
    assert_same(image, activations, 2.5, sigma, tolerance=2e-6)


def test_far_rows_of_a_uniform_image_hold_less_than_a_millionth():
    # Every weight is -1 times the Gaussian here, so that nothing cancels what is left out.
    activations = torch.zeros(1, 1, 60, 4, dtype=torch.float64)
    activations[:, :, :30] = 1
    image = torch.full((1, 3, 60, 4), 0.5, dtype=torch.float64)
    value, _ = value_and_gradient(fast_loss, image, activations, 2.5, 5.0)
    expected, _ = value_and_gradient(pairwise_loss, image, activations, 2.5, 5.0)
    assert value == pytest.approx(expected, rel=2e-6)
    degree = -value_and_gradient(
        pairwise_loss,
        image,
        torch.eye(60)[:1, :, None].T.expand(60, 1, 4)[None, :, 0:1].reshape(1, 1, 60, 4),
        2.5,
        5.0,
    )[0]
    assert degree != 0
