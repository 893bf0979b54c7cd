"""What the feature similarity loss compares: activations of the classes, and the small image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.losses import class_activations, denormalise_image, feature_image, max_norm

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_max_norm_and_background_by_hand():
    scores = torch.tensor([[[[-1.0, 1.0, 3.0]], [[2.0, 4.0, 2.0]], [[9.0, 0.0, 5.0]]]])
    normed = max_norm(scores)
    expected = torch.tensor(
        [
            [0, (1 - 1e-5) / (3 + 1e-5), (3 - 1e-5) / (3 + 1e-5)],
            [0, (2 - 1e-5) / (2 + 1e-5), 0],
            [(9 - 1e-5) / (9 + 1e-5), 0, (5 - 1e-5) / (9 + 1e-5)],
        ]
    )
    torch.testing.assert_close(normed[0, :, 0], expected)
    activations = class_activations(scores, torch.tensor([[1, 1, 0]]))
    background = 1 - torch.maximum(expected[0], expected[1])
    torch.testing.assert_close(activations[0, 0, 0], background)
    torch.testing.assert_close(activations[0, 1:3, 0], expected[:2])
    assert (activations[0, 3] == 0).all()


def test_max_norm_gradient_includes_minimum_and_maximum():
    g = torch.Generator().manual_seed(0)
    scores = torch.rand(2, 2, 3, 4, generator=g, dtype=torch.float64) * 2 + 0.5
    assert torch.autograd.gradcheck(max_norm, scores.requires_grad_())
    # Scaling a map does not change it but for the small constants, so the gradient along the
    # map itself vanishes; it would not if the maximum were held fixed.
    max_norm(scores).sum().backward()
    along = (scores.grad * scores.detach()).sum((2, 3))
    assert (along.abs() < 1e-3).all()


def chained_max_norm(p: torch.Tensor) -> torch.Tensor:
    """The definition as a chain of operators, whose extremes share their gradient evenly."""
    positive = p.relu()
    low, high = positive.amin((2, 3), keepdim=True), positive.amax((2, 3), keepdim=True)
    return (positive - low - 1e-5).relu() / (high - low + 1e-5)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 4), width=st.integers(1, 4))
def test_max_norm_and_its_gradient_equal_the_chain_of_operators_also_in_ties(seed, height, width):
    g = torch.Generator().manual_seed(seed)
    shape = (2, 3, height, width)
    values = torch.tensor([-1.0, 0.0, 5e-6, 0.5, 0.75, 2.0], dtype=torch.float64)
    scores = values[torch.randint(6, shape, generator=g)].requires_grad_()
    above = torch.randn(shape, generator=g, dtype=torch.float64)
    found, expected = max_norm(scores), chained_max_norm(scores)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(y, scores, above) for y in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_max_norm_rounds_as_the_published_order_does():
    """Else near ties of classes at a position, where each has its maximum, go another way."""
    scores = torch.randn(4, 20, 9, 9, generator=torch.Generator().manual_seed(0)) + 3
    positive = scores.numpy().clip(0)
    low, high = (m((2, 3), keepdims=True) for m in (positive.min, positive.max))
    expected = (positive - low - np.float32(1e-5)).clip(0) / (high - low + np.float32(1e-5))
    np.testing.assert_array_equal(max_norm(scores).numpy(), expected)


def test_max_norm_of_a_constant_map_is_zero():
    assert (max_norm(torch.full((1, 2, 3, 3), 4.0)) == 0).all()


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 12), width=st.integers(1, 12), h=st.integers(1, 8), w=st.integers(1, 8)
)
def test_feature_image_against_plain_interpolation(height, width, h, w):
    g = torch.Generator().manual_seed(height * 13 + width)
    image = torch.randn(1, 3, height, width, generator=g)
    ours = feature_image(image, (h, w), MEAN, STD)
    assert ours.min() >= 0
    assert ours.max() <= 1
    pixels = image.numpy()[0] * np.array(STD)[:, None, None] + np.array(MEAN)[:, None, None]
    np.testing.assert_allclose(
        denormalise_image(image, MEAN, STD).numpy()[0], pixels, rtol=0, atol=1e-6
    )
    for i in range(h):
        for j in range(w):
            y = i * (height - 1) / (h - 1) if h > 1 else 0.0
            x = j * (width - 1) / (w - 1) if w > 1 else 0.0
            top, left = min(int(y), height - 1), min(int(x), width - 1)
            down, right = min(top + 1, height - 1), min(left + 1, width - 1)
            fy, fx = y - top, x - left
            expected = (1 - fy) * ((1 - fx) * pixels[:, top, left] + fx * pixels[:, top, right])
            expected += fy * ((1 - fx) * pixels[:, down, left] + fx * pixels[:, down, right])
            np.testing.assert_allclose(ours[0, :, i, j], np.clip(expected, 0, 1), atol=1e-5)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="labels must be 2 x 3"):
        class_activations(torch.zeros(2, 3, 4, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="p must be"):
        max_norm(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="3 channels"):
        denormalise_image(torch.zeros(1, 1, 4, 4), MEAN, STD)
    with pytest.raises(ValueError, match="size must be positive"):
        feature_image(torch.zeros(1, 3, 4, 4), (0, 4), MEAN, STD)
