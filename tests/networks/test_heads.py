"""The affinity and the segmentation network: their heads against plain arithmetic."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.deeplab import DeepLab
from hfpl.networks.interface import Backbone


class Convs(Backbone):
    """A backbone of one convolution per feature, each from the image itself."""

    stride = 4

    def __init__(self, channels=(2, 3, 4), trains_batchnorm: bool = True) -> None:
        super().__init__()
        self.channels = dict(zip(("conv4", "conv5", "conv6"), channels, strict=True))
        self.norms_fixed = not trains_batchnorm
        self.convs = nn.ModuleList(nn.Conv2d(3, c, 3, stride=4, padding=1) for c in channels)

    def forward(self, images):
        return dict(zip(self.channels, (conv(images) for conv in self.convs), strict=True))


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, 20, 16, generator=torch.Generator().manual_seed(seed))


def affinity_network(seed: int = 0) -> AffinityNetwork:
    torch.manual_seed(seed)
    return AffinityNetwork(Convs(), (2, 3, 1))


def deeplab(seed: int = 0, dilation: int = 2, **changes) -> DeepLab:
    torch.manual_seed(seed)
    return DeepLab(Convs(), num_classes=3, channels=5, dilation=dilation, **changes)


def elu(value: float) -> float:
    return value if value > 0 else math.exp(value) - 1


def test_affinity_features_match_plain_products():
    network = affinity_network()
    with torch.no_grad():
        found = network(images()).double().numpy()
        features = [f.double().numpy() for f in network.backbone(images()).values()]
    weights = [
        layer.weight.detach()[:, :, 0, 0].double().numpy()
        for layer in (network.f8_3, network.f8_4, network.f8_5, network.f9)
    ]
    assert found.shape == (2, 6, 5, 4)
    for n, y, x in np.ndindex(2, 5, 4):
        joined = [
            elu(float(row @ f[n, :, y, x]))
            for layer, f in zip(weights[:3], features, strict=True)
            for row in layer
        ]
        expected = [elu(float(row @ np.array(joined))) for row in weights[3]]
        np.testing.assert_allclose(found[n, :, y, x], expected, rtol=1e-4, atol=1e-5)


def test_nothing_of_the_affinity_network_is_detached():
    network = affinity_network()
    network(images()).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_affinity_weights_have_their_published_names_and_spread():
    torch.manual_seed(0)
    network = AffinityNetwork(Convs((50, 60, 70)), (64, 128, 256))
    names = [name for name, _ in network.named_parameters() if not name.startswith("backbone")]
    assert names == ["f8_3.weight", "f8_4.weight", "f8_5.weight", "f9.weight"]
    for layer, inputs in ((network.f8_3, 50), (network.f8_4, 60), (network.f8_5, 70)):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.1)
    bound = 4 * math.sqrt(6 / (448 + 448))
    assert bound * 0.9 < network.f9.weight.abs().max() <= bound


def plain_batchnorm(maps: np.ndarray, layer: nn.BatchNorm2d) -> np.ndarray:
    mean, var, weight, bias = (
        t.detach().double().numpy()[:, None, None]
        for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (maps - mean) / np.sqrt(var + 1e-5) * weight + bias


def plain_head(network: DeepLab, features: np.ndarray, dilation: int) -> np.ndarray:
    """Logits of one image at the features' size, by loops over the 3x3 window."""
    weight = network.conv_fov.weight.detach().double().numpy()
    height, width = features.shape[1:]
    out = np.zeros((len(weight), height, width))
    for y, x, i, j in np.ndindex(height, width, 3, 3):
        v, u = y + (i - 1) * dilation, x + (j - 1) * dilation
        if 0 <= v < height and 0 <= u < width:
            out[:, y, x] += weight[:, :, i, j] @ features[:, v, u]
    out = np.maximum(plain_batchnorm(out, network.bn_fov), 0)
    second = network.conv_fov2.weight.detach()[:, :, 0, 0].double().numpy()
    out = np.maximum(plain_batchnorm(np.tensordot(second, out, 1), network.bn_fov2), 0)
    last = network.cls_conv.weight.detach()[:, :, 0, 0].double().numpy()
    return np.tensordot(last, out, 1) + network.cls_conv.bias.detach().numpy()[:, None, None]


@pytest.mark.parametrize("dilation", [1, 2, 12])
def test_segmentation_logits_match_loops(dilation):
    network = deeplab(dilation=dilation)
    for layer in (network.bn_fov, network.bn_fov2):
        for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
            tensor.data.uniform_(0.5, 1.5)
    network.eval()
    with torch.no_grad():
        found = network(images())
        features = network.backbone(images())["conv6"].double().numpy()
    assert found.shape == (2, 3, 20, 16)
    plain = torch.from_numpy(np.stack([plain_head(network, f, dilation) for f in features]))
    whole = nn.functional.interpolate(plain, (20, 16), mode="bilinear", align_corners=True)
    torch.testing.assert_close(found.double(), whole, rtol=1e-4, atol=1e-5)


class FineConvs(Convs):
    """Likewise, with a finer map: a convolution of stride 2."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {**self.channels, "conv3": 6}
        self.fine = nn.Conv2d(3, 6, 3, stride=2, padding=1)

    def forward(self, images):
        maps = (conv(images) for conv in self.convs)
        return {**dict(zip(("conv4", "conv5", "conv6"), maps, strict=True)),
                "conv3": self.fine(images)}  # fmt: skip


def with_skip(width: int = 4, **changes) -> DeepLab:
    torch.manual_seed(3)
    network = DeepLab(FineConvs(), num_classes=3, channels=5, dilation=2, skip=width, **changes)
    for module in network.skip.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                tensor.data.uniform_(0.5, 1.5)
    return network


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    scaled = (x - norm.running_mean[:, None, None]) / (norm.running_var + norm.eps).sqrt()[
        :, None, None
    ]
    return scaled * norm.weight[:, None, None] + norm.bias[:, None, None]


@torch.no_grad()
def test_finer_features_join_as_if_the_maps_lay_side_by_side():
    network = with_skip().eval()
    found = network(images())
    features = network.backbone(images())
    x = torch.relu(network.bn_fov(network.conv_fov(features["conv6"])))
    x = torch.relu(network.bn_fov2(network.conv_fov2(x)))
    # The plain order: enlarged, side by side, one 1x1 convolution.
    x = nn.functional.interpolate(x, (10, 8), mode="bilinear", align_corners=True)
    side_by_side = torch.cat([x, features["conv3"]], 1)
    skip = network.skip
    mixing = torch.cat([skip.conv_coarse.weight, skip.conv_fine.weight], 1)[:, :, 0, 0]
    x = torch.einsum("oi,nihw->nohw", mixing, side_by_side)
    x = torch.relu(normalised(skip.bn, x))
    x = nn.functional.pad(x, (1, 1, 1, 1))
    weight = skip.conv_joined.weight
    x = sum(
        torch.einsum("oi,nihw->nohw", weight[:, :, r, c], x[:, :, r : r + 10, c : c + 8])
        for r in range(3)
        for c in range(3)
    )
    x = torch.relu(normalised(skip.bn_joined, x))
    x = torch.einsum("oi,nihw->nohw", network.cls_conv.weight[:, :, 0, 0], x)
    logits = x + network.cls_conv.bias[:, None, None]
    whole = nn.functional.interpolate(logits, (20, 16), mode="bilinear", align_corners=True)
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-5)


def test_the_join_is_a_new_layer_whose_affine_parameters_stay():
    network = with_skip()
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    own = {name for name in trained if name.startswith("skip")}
    assert own == {f"skip.{n}.weight" for n in ("conv_coarse", "conv_fine", "conv_joined")}
    assert network.skip in network.new_layers()
    network.train()
    before = network.skip.bn.running_mean.clone()
    network(images()).square().mean().backward()
    assert not torch.equal(network.skip.bn.running_mean, before)
    assert all(network.get_parameter(name).grad.abs().sum() > 0 for name in own)


def test_without_a_join_the_network_is_the_published_one():
    assert set(deeplab().state_dict()) == {
        name for name in with_skip().state_dict() if not name.startswith(("skip", "backbone.fine"))
    }


def test_a_backbone_without_finer_features_is_named():
    with pytest.raises(ValueError, match=r"Convs has no map 'conv3'; it has conv4, conv5, conv6"):
        deeplab(skip=4)


def test_the_heads_affine_parameters_stay_while_their_statistics_move():
    network = deeplab(bn_momentum=0.25)
    for layer in (network.bn_fov, network.bn_fov2):
        layer.weight.data.uniform_(0.5, 1.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network.train()
    with torch.no_grad():
        batch = network.conv_fov(network.backbone(images())["conv6"])
    network(images()).square().mean().backward()
    optimiser.step()
    state = network.state_dict()
    for layer in ("bn_fov", "bn_fov2"):
        assert torch.equal(state[f"{layer}.weight"], before[f"{layer}.weight"])
        assert torch.equal(state[f"{layer}.bias"], before[f"{layer}.bias"])
        assert not torch.equal(state[f"{layer}.running_mean"], before[f"{layer}.running_mean"])
    expected = 0.25 * batch.mean((0, 2, 3))
    torch.testing.assert_close(state["bn_fov.running_mean"], expected)
    for name in ("conv_fov.weight", "conv_fov2.weight", "cls_conv.weight", "cls_conv.bias"):
        assert not torch.equal(state[name], before[name])


def test_segmentation_weights_spread_by_their_fan_out():
    torch.manual_seed(0)
    network = DeepLab(Convs((1, 1, 64)), num_classes=21, channels=128, dilation=12)
    assert network.conv_fov.weight.std().item() == pytest.approx(math.sqrt(2 / 1152), rel=0.05)
    assert network.conv_fov2.weight.std().item() == pytest.approx(math.sqrt(2 / 128), rel=0.05)
    assert network.cls_conv.weight.std().item() == pytest.approx(math.sqrt(2 / 21), rel=0.05)
    assert network.bn_fov.momentum == 3e-4


def test_dropout_stands_before_the_classifier_and_only_in_training():
    network = deeplab(dropout=0.9).eval()
    with torch.no_grad():
        assert torch.equal(network(images()), network(images()))
        network.train()
        dropped = [network(images()) for _ in range(2)]
    assert not torch.equal(*dropped)
    # With everything dropped, only the classifier's bias is left.
    network.dropout.p = 1.0
    bias = network.cls_conv.bias[None, :, None, None].expand(2, -1, 20, 16)
    torch.testing.assert_close(network(images()), bias)


@pytest.mark.parametrize("network", [affinity_network(), deeplab().eval()])
def test_results_are_float32_under_autocast(network):
    with torch.no_grad():
        expected = network(images())
        with torch.autocast("cpu", torch.bfloat16):
            found = network(images())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)
