"""SEAM's network: the pixel correlation module against plain loops, and its wiring."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hfpl.networks.interface import Backbone, Features
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.seam import SeamNetwork, correlation, normalised_cam, scaled_size
from hfpl.plugins.methods.seam.correlation import correlate
from hfpl.plugins.methods.seam.losses import classification, equivariance, minimum_response

OPTIONS = {"view_scale": 0.5, "pcm_channels": [3, 4], "dropout": 0.5}


class ThreeConvs(Backbone):
    """The smallest backbone: a convolution for each of the features, at stride 4."""

    channels, stride = {"conv4": 4, "conv5": 5, "conv6": 6}, 4

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=4, padding=1)
        self.second, self.third = nn.Conv2d(4, 5, 1), nn.Conv2d(5, 6, 1)

    def forward(self, images: torch.Tensor) -> Features:
        one = torch.relu(self.first(images))
        two = torch.relu(self.second(one))
        return {"conv4": one, "conv5": two, "conv6": torch.relu(self.third(two))}


def make_network(seed: int = 0, **changes) -> SeamNetwork:
    torch.manual_seed(seed)
    return build_method("seam", ThreeConvs(), 2, {**OPTIONS, **changes})


def make_batch(seed: int = 0, side: int = 20):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 3, side, side + 4, generator=generator)
    return images, torch.tensor([[1.0, 0.0], [1.0, 1.0]])


def plain_normalised(logits: np.ndarray) -> np.ndarray:
    out = np.zeros_like(logits)
    images, channels, height, width = logits.shape
    for n in range(images):
        for c in range(channels):
            peak = max(logits[n, c].max(), 0) + 1e-5
            for y, x in np.ndindex(height, width):
                out[n, c, y, x] = max(max(logits[n, c, y, x], 0) - 1e-5, 0) / peak
        for y, x in np.ndindex(height, width):
            best = max(out[n, 1:, y, x])
            out[n, 0, y, x] = 1 - best
            for c in range(1, channels):
                if out[n, c, y, x] < best:
                    out[n, c, y, x] = 0
    return out


def plain_correlate(cam: np.ndarray, features: np.ndarray) -> np.ndarray:
    images, channels, height, width = cam.shape
    out = np.zeros_like(cam)
    for n in range(images):
        cells = list(np.ndindex(height, width))
        vectors = [features[n, :, y, x] for y, x in cells]
        unit = [v / (math.sqrt(sum(v**2)) + 1e-5) for v in vectors]
        for j, (y, x) in enumerate(cells):
            column = [max(float(u @ unit[j]), 0) for u in unit]
            for c in range(channels):
                spread = sum(a * cam[n, c][cell] for a, cell in zip(column, cells, strict=True))
                out[n, c, y, x] = spread / (sum(column) + 1e-5)
    return out


SHAPES = {
    "images": st.integers(1, 2),
    "classes": st.integers(1, 3),
    "height": st.integers(1, 5),
    "width": st.integers(1, 5),
    "seed": st.integers(0, 99),
}


@settings(deadline=None, max_examples=25)
@given(**SHAPES)
def test_normalised_cam_matches_loops(images, classes, height, width, seed):
    logits = np.random.default_rng(seed).normal(size=(images, classes + 1, height, width))
    found = normalised_cam(torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(found, plain_normalised(logits), atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(**SHAPES)
def test_correlate_matches_loops(images, classes, height, width, seed):
    rng = np.random.default_rng(seed)
    cam = rng.random((images, classes + 1, height, width))
    features = rng.normal(size=(images, 3, height, width))
    found = correlate(torch.from_numpy(cam), torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(found, plain_correlate(cam, features), rtol=1e-9, atol=1e-12)


def correlation_case(seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    cam = torch.rand(3, 3, 4, 5, generator=rng, dtype=torch.float64)
    features = torch.randn(3, 6, 4, 5, generator=rng, dtype=torch.float64)
    return cam, features.requires_grad_()


@pytest.mark.parametrize("pairs", [1, 7 * 20, 400, 2 * 400])
def test_pairs_taken_in_blocks_spread_the_same(monkeypatch, pairs):
    cam, features = correlation_case()
    whole = correlate(cam, features)
    (gradient,) = torch.autograd.grad(whole.square().sum(), features)
    monkeypatch.setattr(correlation, "CPU_BLOCK_PAIRS", pairs)
    parts = correlate(cam, features)
    torch.testing.assert_close(parts, whole)
    (found,) = torch.autograd.grad(parts.square().sum(), features)
    torch.testing.assert_close(found, gradient)


def test_the_gradient_of_what_is_spread_matches_finite_differences():
    cam, features = correlation_case(1)
    assert torch.autograd.gradcheck(lambda f: correlate(cam, f), features)


def test_nothing_of_the_pairs_is_kept_for_the_gradient():
    cam, features = correlation_case()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor.numel()) or tensor, lambda tensor: tensor
    ):
        correlate(cam, features).sum().backward()
    assert max(saved) < 3 * 20 * 20


def test_what_is_spread_keeps_the_range_and_without_contrast_becomes_the_mean():
    rng = torch.Generator().manual_seed(0)
    cam = torch.rand(1, 3, 4, 5, generator=rng, dtype=torch.float64)
    spread = correlate(cam, torch.randn(1, 6, 4, 5, generator=rng, dtype=torch.float64))
    assert (spread <= cam.amax((2, 3), keepdim=True)).all()
    alike = correlate(cam, torch.ones(1, 6, 4, 5, dtype=torch.float64))
    torch.testing.assert_close(
        alike, cam.mean((2, 3), keepdim=True).expand_as(cam), rtol=1e-5, atol=0
    )


def test_unlike_features_share_nothing():
    cam = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    features = torch.tensor([[[[1.0, -1.0]], [[2.0, -2.0]]]])
    torch.testing.assert_close(correlate(cam, features), cam, rtol=1e-4, atol=0)


def test_shapes_and_the_forward_pass_against_its_parts():
    network = make_network().eval()
    images, _ = make_batch()
    output = network(images)
    assert output.logits.shape == (2, 3, 5, 6)
    assert output.cam.shape == output.cam_rv.shape == (2, 3, 20, 24)
    four, five, six = network.backbone(images).values()
    torch.testing.assert_close(output.logits, network.fc8(six))
    small = nn.functional.interpolate(images, (5, 6), mode="bilinear", align_corners=True)
    embedded = network.f9(
        torch.cat([small, network.f8_3(four).relu(), network.f8_4(five).relu()], 1)
    )
    cam = plain_normalised(output.logits.detach().double().numpy())
    refined = plain_correlate(cam, embedded.detach().double().numpy())
    whole = nn.functional.interpolate(
        torch.from_numpy(refined), (20, 24), mode="bilinear", align_corners=True
    )
    torch.testing.assert_close(output.cam_rv.double(), whole, rtol=1e-4, atol=1e-6)
    # With aligned corners, corners are taken over.
    assert torch.equal(output.cam[..., ::19, ::23], output.logits[..., ::4, ::5])
    torch.testing.assert_close(network.cams(images, [0, 1]), output.cam_rv[:, 1:])
    torch.testing.assert_close(network.cams(images, [1]), output.cam_rv[:, 2:])


def test_the_refined_maps_train_the_correlation_module_alone():
    network = make_network()
    images, _ = make_batch()
    network(images).cam_rv.square().sum().backward()
    moved = {name for name, p in network.named_parameters() if p.grad is not None}
    assert moved == {"f8_3.weight", "f8_4.weight", "f9.weight"}


def test_names_fit_published_checkpoints():
    names = [name for name in make_network().state_dict() if not name.startswith("backbone.")]
    assert names == ["fc8.weight", "f8_3.weight", "f8_4.weight", "f9.weight"]


def test_initial_weights_have_their_published_spread():
    torch.manual_seed(0)
    backbone = ThreeConvs()
    backbone.channels = {"conv4": 40, "conv5": 50, "conv6": 60}
    network = SeamNetwork(backbone, 20, 0.3, (64, 128), 0.5)
    xavier = math.sqrt(6 / (60 + 21))
    assert xavier * 0.9 < network.fc8.weight.abs().max() <= xavier
    assert network.f8_3.weight.std().item() == pytest.approx(math.sqrt(2 / 40), rel=0.1)
    assert network.f8_4.weight.std().item() == pytest.approx(math.sqrt(2 / 50), rel=0.1)
    gained = 4 * math.sqrt(6 / (195 + 192))
    assert gained * 0.9 < network.f9.weight.abs().max() <= gained


def test_dropout_takes_whole_channels_and_only_in_training():
    network = make_network()
    images, _ = make_batch()
    torch.manual_seed(1)
    with torch.no_grad():
        assert not torch.equal(network(images).logits, network(images).logits)
        network.eval()
        assert torch.equal(network(images).logits, network(images).logits)
    assert isinstance(network.dropout, nn.Dropout2d)
    assert network.dropout.p == 0.5


@pytest.mark.parametrize("scale", [0.3, 0.5])
def test_the_second_view_is_the_first_one_scaled(scale):
    network = make_network(view_scale=scale, dropout=0.0)
    images, labels = make_batch()
    loss = network.losses(images, labels, 0.0)
    one, two = loss.views
    size = (int(20 * scale), int(24 * scale))
    expected = nn.functional.interpolate(images, size, mode="bilinear", align_corners=True)
    assert torch.equal(one.image, images)
    torch.testing.assert_close(two.image, expected)
    torch.testing.assert_close(one.foreground, network(images).logits[:, 1:])
    torch.testing.assert_close(one.background, network(images).logits[:, :1])
    torch.testing.assert_close(two.foreground, network(expected).logits[:, 1:])
    assert (one.term, two.term) == ("cls_1", "cls_2")
    weights = {name: term.weight for name, term in loss.terms.items()}
    half = dict.fromkeys(("cls_1", "cls_2", "rvmin_1", "rvmin_2"), 0.5)
    assert weights == {**half, "er": 1.0, "ecr": 1.0}


def test_losses_of_the_present_classes_are_those_of_all_classes():
    network = make_network(dropout=0.0)
    images, labels = make_batch()
    labels[1, 1] = 0  # The second class is nowhere now, and its maps are not enlarged.
    small = nn.functional.interpolate(images, (10, 12), mode="bilinear", align_corners=True)
    one, two = network(images), network(small)
    er, ecr = equivariance(one.cam[:, 1:], one.cam_rv, two.cam[:, 1:], two.cam_rv, labels, 3)
    expected = {
        "cls_1": classification(one.cam[:, 1:].mean((2, 3)), labels),
        "cls_2": classification(two.cam[:, 1:].mean((2, 3)), labels),
        "rvmin_1": minimum_response(one.cam_rv, labels),
        "rvmin_2": minimum_response(two.cam_rv, labels),
        "er": er,
        "ecr": ecr,
    }
    found = {name: term.value for name, term in network.losses(images, labels, 0.0).terms.items()}
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad(sum(terms.values()), list(network.parameters()))
        for terms in (found, expected)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_sizes_of_the_second_view_are_rounded_down():
    assert scaled_size((448, 448), 0.3) == (134, 134)
    assert scaled_size((96, 97), 0.5) == (48, 48)


def test_equal_seeds_give_equal_networks():
    one, two = make_network(3).state_dict(), make_network(3).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"view_scale": 1.0}, "cam.methods.seam.view_scale"),
        ({"view_scale": 0.0}, "cam.methods.seam.view_scale"),
        ({"pcm_channels": [3]}, "cam.methods.seam.pcm_channels"),
        ({"pcm_channels": [3, 0]}, "cam.methods.seam.pcm_channels"),
        ({"dropout": 1.5}, "cam.methods.seam.dropout"),
    ],
)
def test_options_out_of_range_are_named(changes, key):
    with pytest.raises(ValueError, match=key):
        make_network(**changes)


@pytest.mark.parametrize("side", [16, 20])
def test_a_second_view_too_small_for_the_losses_is_named(side):
    # Of a map of fewer than four positions the lowest quarter is empty: its mean is no number.
    network = make_network(view_scale=0.06)
    images, labels = make_batch(side=side)
    with pytest.raises(ValueError, match=r"cam.methods.seam.view_scale"):
        network.losses(images, labels, 0.0)


def test_maps_are_float32_under_autocast():
    network = make_network().eval()
    images, _ = make_batch()
    with torch.no_grad():
        expected = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(images)
            assert network.cams(images, [0]).dtype == torch.float32
    for name, found in output._asdict().items():
        assert found.dtype == torch.float32, name
        torch.testing.assert_close(found, getattr(expected, name), rtol=0.1, atol=0.05)
