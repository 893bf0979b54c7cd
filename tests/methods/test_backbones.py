"""Every method trains on every backbone."""

import pytest
import torch
from ruamel.yaml import YAML

from hfpl.images.normalise import IMAGENET
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.sections.plugins import check_options, plugin_names
from hfpl.stages.cam.addon import attach, total_loss

PACKAGE = "hfpl.plugins.methods"
METHODS = plugin_names(PACKAGE)
MICRO = validate_params(YAML(typ="safe", pure=True).load(preset_text("micro"))).cam
SMALL = {"stride": 4, "widths": [4, 4, 4, 4, 4], "blocks": [1, 1, 1, 1], "train_batchnorm": True}
BACKBONES = [
    ("small", SMALL),
    ("resnet38", {}),
    ("resnet50", {"stride": 8, "frozen_layers": 1}),
    ("resnet50", {"stride": 16, "frozen_layers": 2}),
]


@pytest.fixture(scope="module", params=BACKBONES, ids=["small", "38", "50-8", "50-16"])
def backbone(request):
    torch.manual_seed(0)
    name, options = request.param
    return build_backbone(name, options)


def test_the_four_methods_are_there():
    assert set(METHODS) >= {"cam", "seam", "puzzle", "ppc"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_on_every_backbone(backbone, method):
    options = MICRO.methods.get(method, {})
    if check_options("cam.method", PACKAGE, method, f"cam.methods.{method}", options):
        pytest.skip("no preset has its options")
    torch.manual_seed(0)
    network = build_method(method, backbone, 3, options)
    images = torch.randn(2, 3, 48, 32)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    loss = network.losses(images, labels, 0.5)
    terms = attach(loss, labels, IMAGENET, form="binomial", isl=MICRO.isl, fsl=MICRO.fsl)
    total = total_loss(terms)
    assert torch.isfinite(total)
    network.zero_grad(set_to_none=True)
    total.backward()
    heads = {id(p) for layer in network.new_layers() for p in layer.parameters()}
    own = [p for p in network.parameters() if id(p) in heads]
    assert own
    assert all(p.grad is not None and p.grad.isfinite().all() for p in own)
    assert any(p.grad is not None for p in backbone.parameters())
    cells = tuple(-(-side // backbone.stride) for side in (48, 32))
    assert loss.views[0].foreground.shape == (2, 3, *cells)
    assert network.cams(images, [0, 2]).shape[:2] == (2, 2)
