"""The backbone a stage starts from."""

import pytest
import torch
from torch import nn

from hfpl.networks.backbones import build_backbone
from hfpl.params.load import validate_params
from hfpl.params.network import Network
from hfpl.params.presets import preset_text
from hfpl.storage.tensors import save_network, save_tensors
from hfpl.training.start import starting_backbone


@pytest.fixture(scope="module")
def settings() -> Network:
    from ruamel.yaml import YAML

    return validate_params(YAML(typ="safe").load(preset_text("micro"))).network


def assert_equal(one: nn.Module, two: nn.Module):
    states = one.state_dict(), two.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_weights_of_a_file_are_loaded(settings, tmp_path):
    torch.manual_seed(3)
    source = build_backbone(settings.backbone, settings.options)
    save_network(tmp_path / "weights.safetensors", source)
    assert_equal(starting_backbone(settings, tmp_path / "weights.safetensors", "cam", 0), source)


def test_random_weights_depend_on_the_seed_alone(settings):
    torch.manual_seed(1)
    one = starting_backbone(settings, None, "cam", 0)
    torch.manual_seed(2)
    assert_equal(one, starting_backbone(settings, None, "cam", 0))
    other = starting_backbone(settings, None, "cam", 1)
    assert any(
        not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


def test_new_layers_draw_the_same_whatever_the_backbone_drew(settings, tmp_path):
    source = build_backbone(settings.backbone, settings.options)
    save_network(tmp_path / "weights.safetensors", source)
    drawn = []
    changed = {**settings.options, "widths": [2 * w for w in settings.options["widths"]]}
    wider = settings.model_copy(update={"options": changed})
    for network, weights in ((settings, None), (settings, "weights.safetensors"), (wider, None)):
        starting_backbone(network, tmp_path / weights if weights else None, "cam", 4)
        drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    starting_backbone(settings, None, "cam", 5)
    assert not torch.equal(drawn[0], torch.rand(3))


def test_fixed_batch_statistics_are_frozen(settings):
    changed = {**settings.options, "train_batchnorm": False}
    fixed = settings.model_copy(update={"options": changed})
    for network, learns in ((settings, True), (fixed, False)):
        backbone = starting_backbone(network, None, "cam", 0)
        norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms
        assert all(p.requires_grad == learns for norm in norms for p in norm.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("conv1.weight"), "tensor 'conv1.weight' is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "tensor 'extra' is unknown"),
        (lambda t: t.update({"conv1.weight": torch.zeros(1)}), "'conv1.weight' has shape"),
    ],
)
def test_weights_that_do_not_fit_are_named(settings, tmp_path, change, message):
    tensors = dict(build_backbone(settings.backbone, settings.options).state_dict())
    change(tensors)
    path = tmp_path / "weights.safetensors"
    save_tensors(path, tensors)
    with pytest.raises(ValueError, match=message) as error:
        starting_backbone(settings, path, "cam", 0)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(settings, tmp_path):
    with pytest.raises(ValueError, match="none.safetensors: no such file"):
        starting_backbone(settings, tmp_path / "none.safetensors", "cam", 0)
