"""ResNet-50 against a plain network written out here, with weights in torchvision's naming."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.interface import freeze
from hfpl.networks.weights.match import load_weights
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.stages.segment.params import SegmentHead
from hfpl.stages.segment.train import build_deeplab

BLOCKS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)
LAYERS = {
    8: [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)],
    16: [(1, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 1)],
}
"""Stride, dilation of the first block, dilation of the others, of each layer."""


def torchvision_weights() -> dict[str, torch.Tensor]:
    """Names and shapes of torchvision's ResNet-50, random values, and its classifier."""
    g = torch.Generator().manual_seed(0)
    weights = {}

    def conv(name, outputs, inputs, side):
        scale = (2 / (inputs * side * side)) ** 0.5
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, side, side, generator=g) * scale

    def bn(name, width):
        weights[f"{name}.weight"] = 0.3 + 0.4 * torch.rand(width, generator=g)
        weights[f"{name}.bias"] = 0.1 * torch.randn(width, generator=g)
        weights[f"{name}.running_mean"] = 0.1 * torch.randn(width, generator=g)
        weights[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=g)
        weights[f"{name}.num_batches_tracked"] = torch.tensor(9)

    conv("conv1", 64, 3, 7)
    bn("bn1", 64)
    inputs = 64
    for layer, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
        for block in range(blocks):
            name = f"layer{layer}.{block}"
            for part, (outputs, ins, side) in enumerate(
                [(width, inputs, 1), (width, width, 3), (4 * width, width, 1)], 1
            ):
                conv(f"{name}.conv{part}", outputs, ins, side)
                bn(f"{name}.bn{part}", outputs)
            if block == 0:
                conv(f"{name}.downsample.0", 4 * width, inputs, 1)
                bn(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    weights["fc.weight"] = torch.randn(1000, 2048, generator=g)
    weights["fc.bias"] = torch.randn(1000, generator=g)
    return weights


def plain_features(w: dict[str, torch.Tensor], x: torch.Tensor, stride: int) -> list[torch.Tensor]:
    """Outputs of layers 1 to 4."""

    def conv(x, name, stride=1, padding=0, dilation=1):
        return F.conv2d(x, w[f"{name}.weight"], None, stride, padding, dilation)

    def bn(x, name):
        mean, var, scale, shift = (
            w[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    x = bn(conv(x, "conv1", 2, 3), "bn1").clamp(min=0)
    x = F.max_pool2d(x, 3, 2, 1)
    outputs = []
    for layer, (step, first, rest) in enumerate(LAYERS[stride], 1):
        for block in range(BLOCKS[layer - 1]):
            name = f"layer{layer}.{block}"
            s, d = (step, first) if block == 0 else (1, rest)
            y = bn(conv(x, f"{name}.conv1"), f"{name}.bn1").clamp(min=0)
            y = bn(conv(y, f"{name}.conv2", s, d, d), f"{name}.bn2").clamp(min=0)
            y = bn(conv(y, f"{name}.conv3"), f"{name}.bn3")
            if block == 0:
                x = bn(conv(x, f"{name}.downsample.0", s), f"{name}.downsample.1")
            x = (x + y).clamp(min=0)
        outputs.append(x)
    if stride == 16:
        outputs[1] = F.avg_pool2d(outputs[1], 1, 2)  # every other cell, from the first
    return outputs


@pytest.fixture(scope="module")
def weights():
    return torchvision_weights()


@pytest.fixture(scope="module", params=[8, 16])
def loaded(request, weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(weights, path)
    backbone = build_backbone("resnet50", {"stride": request.param, "frozen_layers": 1})
    return backbone.eval(), load_weights(path, backbone)


def test_torchvisions_weights_load_but_for_the_classifier(weights, loaded):
    backbone, match = loaded
    assert match.unused == ("fc.weight", "fc.bias")
    assert set(match.loaded) == weights.keys() - set(match.unused)
    assert match.missing == match.reshaped == ()
    assert len(match.loaded) == 318
    assert sum(p.numel() for p in backbone.parameters()) == 23_508_032


@pytest.mark.parametrize("size", [(64, 64), (65, 41)])
def test_features_match_the_plain_network(weights, loaded, size):
    backbone, _ = loaded
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, expected = backbone(images), plain_features(weights, images, backbone.stride)
    for (name, ours), theirs, width in zip(
        found.items(), expected, backbone.channels.values(), strict=True
    ):
        stride = 4 if name == "conv3" else backbone.stride
        assert ours.shape == (2, width, *(-(-side // stride) for side in size))
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()
        assert theirs.std() > 0.01


@pytest.mark.parametrize(
    ("stage", "layers", "frozen"),
    [
        ("cam", 1, {"conv1", "layer1"}),
        ("cam", 2, {"conv1", "layer1", "layer2"}),
        ("affinity", 2, {"conv1", "layer1"}),
        ("segment", 2, {"conv1"}),
    ],
)
def test_what_the_stages_train(stage, layers, frozen):
    with torch.device("meta"):
        backbone = build_backbone("resnet50", {"stride": 8, "frozen_layers": layers})
    freeze(backbone, stage)
    norms = {n for n, m in backbone.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for name, parameter in backbone.named_parameters():
        fixed = name.split(".")[0] in frozen or name.rpartition(".")[0] in norms
        assert parameter.requires_grad != fixed, name


@torch.no_grad()
def test_the_networks_of_all_stages_stand_on_it(loaded):
    backbone, _ = loaded
    height, width = -(-40 // backbone.stride), -(-24 // backbone.stride)
    images = torch.randn(2, 3, 40, 24, generator=torch.Generator().manual_seed(1))
    options = {"view_scale": 0.5, "pcm_channels": [8, 16], "dropout": 0.5}
    head = SegmentHead(channels=16, dilation=2, dropout=0.5, bn_momentum=0.1, skip=0)
    assert build_method("seam", backbone, 5, options).cams(images, range(5)).shape == (2, 5, 40, 24)
    assert AffinityNetwork(backbone, (8, 16, 32))(images).shape == (2, 56, height, width)
    assert build_deeplab(backbone, 5, head)(images).shape == (2, 6, 40, 24)


def test_the_gradient_stops_after_the_second_layer_where_two_are_frozen():
    torch.manual_seed(0)
    backbone = build_backbone("resnet50", {"stride": 16, "frozen_layers": 2}).eval()
    freeze(backbone, "cam")
    features = backbone(torch.randn(1, 3, 32, 48))
    assert not features["conv4"].requires_grad
    features["conv6"].sum().backward()
    moved = {n.split(".")[0] for n, p in backbone.named_parameters() if p.grad is not None}
    assert moved == {"layer3", "layer4"}


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"stride": 32, "frozen_layers": 1}, "network.options.stride"),
        ({"stride": 8, "frozen_layers": 5}, "network.options.frozen_layers"),
    ],
)
def test_options_out_of_range_are_named(options, key):
    with pytest.raises(ValueError, match=key):
        build_backbone("resnet50", options)
