"""EfficientNet-Lite: padding, dilation, what is trained, and its published weights.

The published arrays themselves are rows of ``make parity``.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hfpl.networks.interface import freeze
from hfpl.networks.weights.match import load_weights
from hfpl.networks.weights.published import imagenet_of
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.backbones.efficientnet_lite import EfficientNetLite, _grids, _SameConv, _whole

SIZES = (0, 1, 2)


def randomised(network: EfficientNetLite) -> EfficientNetLite:
    """With statistics and affine parameters that no layer could leave out unnoticed."""
    g = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data = 0.5 + torch.rand(module.weight.shape, generator=g)
            module.bias.data = 0.2 * torch.randn(module.bias.shape, generator=g)
            module.running_mean = 0.2 * torch.randn(module.bias.shape, generator=g)
            module.running_var = 0.5 + torch.rand(module.bias.shape, generator=g)
    return network.eval()


def plain_same(image: np.ndarray, kernel: np.ndarray, stride: int, dilation: int) -> np.ndarray:
    """TensorFlow's "same" convolution of one channel, as its documentation has it."""
    k = len(kernel)
    reach = (k - 1) * dilation + 1
    result = np.zeros([-(-side // stride) for side in image.shape])
    starts = []
    for side, cells in zip(image.shape, result.shape, strict=True):
        starts.append(max((cells - 1) * stride + reach - side, 0) // 2)
    for y, x in np.ndindex(*result.shape):
        for i, j in np.ndindex(k, k):
            row = y * stride + i * dilation - starts[0]
            column = x * stride + j * dilation - starts[1]
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                result[y, x] += image[row, column] * kernel[i, j]
    return result


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.sampled_from([3, 5]),
    stride_dilation=st.sampled_from([(1, 1), (2, 1), (1, 2), (1, 4)]),
    seed=st.integers(0, 99),
)
def test_padding_is_tensorflows_at_every_size(size, kernel, stride_dilation, seed):
    rng, (stride, dilation) = np.random.default_rng(seed), stride_dilation
    image, weight = rng.normal(size=size), rng.normal(size=(kernel, kernel))
    layer = _SameConv(1, 1, kernel, stride, dilation).double()
    layer.weight.data = torch.from_numpy(weight)[None, None]
    found = layer(torch.from_numpy(image)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(found, plain_same(image, weight, stride, dilation), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("sides", [(224, 192), (161, 130)])
def test_a_dilated_network_equals_the_strided_one_where_both_have_a_cell(size, stride, sides):
    torch.manual_seed(0)
    strided = randomised(EfficientNetLite(size, stride=32))
    dilated = build_backbone("efficientnet_lite", {"size": size, "stride": stride}).eval()
    dilated.load_state_dict(strided.state_dict())
    images = torch.randn(1, 3, *sides)
    with torch.no_grad():
        fine, coarse = dilated(images)["conv6"], strided(images)["conv6"]
    assert fine.shape[2:] == tuple(-(-side // stride) for side in sides)
    while fine.shape[2:] != coarse.shape[2:]:
        # A stride's kernel stands on the second of two cells, on the first where they are odd.
        row, column = (1 - side % 2 for side in fine.shape[2:])
        fine = fine[:, :, row::2, column::2]
    assert coarse.std() > 0.1
    torch.testing.assert_close(fine, coarse, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stride", [8, 16])
def test_maps_have_the_declared_widths_and_sides_at_every_image_size(size, stride):
    backbone = build_backbone("efficientnet_lite", {"size": size, "stride": stride}).eval()
    for sides in ((1, 1), (17, 64), (65, 33)):
        with torch.no_grad():
            maps = backbone(torch.randn(1, 3, *sides))
        strides = {name: 4 if name == "conv3" else stride for name in backbone.channels}
        shapes = {
            name: (1, width, *(-(-side // strides[name]) for side in sides))
            for name, width in backbone.channels.items()
        }
        assert {name: tuple(m.shape) for name, m in maps.items()} == shapes


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    dilation=st.integers(2, 4),
    kernel=st.sampled_from([1, 3, 5]),
    depthwise=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_gradients_on_grids_are_those_of_the_dilated_convolution(
    size, dilation, kernel, depthwise, bias, seed
):
    draw = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=draw)

    groups = 4 if depthwise else 1
    convolution = _SameConv(4, 4, kernel, 1, dilation, groups).double()
    x = random(2, 4, *size).requires_grad_()
    weight = random(*convolution.weight.shape).requires_grad_()
    offset = random(4).requires_grad_() if bias else None
    inputs = [x, weight, *([offset] if bias else [])]
    plain = torch.nn.functional.conv2d(
        x, weight, offset, 1, kernel // 2 * dilation, dilation, groups
    )
    found = convolution.convolved(x, weight, offset)
    assert torch.equal(found, plain)
    towards = random(*plain.shape)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, towards),
        torch.autograd.grad(plain, inputs, towards),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_under_autocast_a_dilated_convolution_has_torchs_gradients():
    convolution = _SameConv(4, 4, 3, 1, 2, groups=4)
    x = torch.randn(2, 4, 9, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    inputs = [x, convolution.weight]
    with torch.autocast("cpu", torch.bfloat16):
        found = convolution(x)
        plain = torch.nn.functional.conv2d(*inputs, None, 1, 2, 2, 4)
    assert torch.equal(found, plain)
    for ours, theirs in zip(
        torch.autograd.grad(found.sum(), inputs),
        torch.autograd.grad(plain.sum(), inputs),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 4),
    distance=st.integers(1, 4),
)
def test_grids_make_a_whole_again(shape, distance):
    maps = torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)
    grids = _grids(maps, distance)
    assert torch.equal(_whole(grids, distance, maps.shape), maps)
    # Image n, row r and column c lie in the grid of their remainders.
    n, row, column = (side - 1 for side in (shape[0], shape[2], shape[3]))
    number = ((row % distance) * distance + column % distance) * shape[0] + n
    cell = grids[number, :, row // distance, column // distance]
    assert torch.equal(cell, maps[n, :, row, column])


def test_a_fixed_norm_taken_into_the_weights_changes_nothing():
    torch.manual_seed(0)
    network = randomised(EfficientNetLite(0, 16)).double()
    images = torch.randn(2, 3, 48, 64, dtype=torch.float64)
    found = network(images)["conv6"]
    # The same statistics, applied by the layer itself: in training it takes those of the batch,
    # so that it is replaced by its formula.
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, Formula(child))
    torch.testing.assert_close(found, network(images)["conv6"])


class Formula(nn.Module):
    """Batch normalisation by fixed statistics, written out; it says that it trains."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm, self.training = norm, True

    def forward(self, x):
        norm, shape = self.norm, (1, -1, 1, 1)
        scaled = (x - norm.running_mean.view(shape)) / (norm.running_var.view(shape) + 1e-3).sqrt()
        return scaled * norm.weight.view(shape) + norm.bias.view(shape)


def test_from_scratch_the_statistics_are_the_batch_s():
    torch.manual_seed(0)
    network = EfficientNetLite(0, 16)
    network.begin_from_scratch()
    network.train()
    network(3 + torch.randn(2, 3, 64, 64))
    assert all(m.num_batches_tracked == 1 for m in network.modules() if hasattr(m, "running_mean"))


def test_norms_stay_and_the_first_parts_are_frozen():
    backbone = build_backbone("efficientnet_lite", {"size": 2, "stride": 16})
    freeze(backbone, "cam")
    backbone(torch.randn(1, 3, 64, 64))["conv6"].sum().backward()
    trained = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert trained
    assert not any("_bn" in name for name in trained)
    frozen = ("_conv_stem.", "_blocks.0.", "_blocks.1.", "_blocks.2.", "_blocks.3.")
    assert not any(name.startswith(frozen) for name in trained)
    assert any(name.startswith("_blocks.4.") for name in trained)


@pytest.mark.parametrize("size", SIZES)
def test_the_published_file_loads_whole_and_its_classifier_is_left_over(size):
    published = next(p for p in imagenet_of("efficientnet_lite") if p.options == {"size": size})
    backbone = build_backbone("efficientnet_lite", {"size": size, "stride": 16})
    match = load_weights(published.installed(), backbone)
    assert not match.missing
    assert not match.reshaped
    assert set(match.unused) == {"_fc.weight", "_fc.bias"}


def test_colours_are_normalised_as_published():
    statistics = build_backbone("efficientnet_lite", {"size": 0, "stride": 16}).statistics
    values = (np.array([0, 127, 255]) / 255 - statistics.mean) / statistics.std
    np.testing.assert_allclose(values, (np.array([0, 127, 255]) - 127) / 128)


@pytest.mark.parametrize(("size", "stride", "key"), [(3, 16, "size"), (0, 32, "stride")])
def test_other_options_are_named(size, stride, key):
    with pytest.raises(ValueError, match=rf"network\.options\.{key}: EfficientNet-Lite has"):
        build_backbone("efficientnet_lite", {"size": size, "stride": stride})
