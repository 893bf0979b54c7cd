"""What a stage's training starts from."""

import pytest
import torch
from torch import nn

from hfpl.jobs.settings import Settings
from hfpl.networks.interface import StandsOnBackbone
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.backbones import build_backbone
from hfpl.sections.network import Network
from hfpl.storage.tensors import save_network
from hfpl.training.start import load_start, starting_backbone


@pytest.fixture(scope="module")
def settings() -> Network:
    from ruamel.yaml import YAML

    return validate_params(YAML(typ="safe").load(preset_text("micro"))).network


def view(network: Network) -> Settings:
    """The section as a job sees it."""
    return Settings(
        {
            "backbone": network.backbone,
            **{f"options.{name}": value for name, value in network.options.items()},
        },
        "a test",
    )


def assert_equal(one: nn.Module, two: nn.Module):
    states = one.state_dict(), two.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def start(settings: Network, weights, chosen: str = "network") -> StandsOnBackbone:
    network = WithHead(starting_backbone(view(settings), "cam", 0, weights is None))
    load_start(network, weights, chosen)
    return network


class WithHead(StandsOnBackbone):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone)
        self.head = nn.Conv2d(backbone.channels["conv6"], 2, 1)


def test_weights_of_a_file_are_loaded_and_reported(settings, tmp_path, caplog):
    torch.manual_seed(3)
    source = build_backbone(settings.backbone, settings.options)
    path = tmp_path / "weights.safetensors"
    save_network(path, source)
    with caplog.at_level("INFO", "hfpl"):
        assert_equal(start(settings, path).backbone, source)
    assert caplog.messages == [f"weights.safetensors: {len(source.state_dict())} tensors loaded"]


def test_heads_are_taken_from_a_file_of_the_stages_own_alone(settings, tmp_path):
    source = start(settings, None)
    nn.init.constant_(source.head.weight, 7.0)
    path = tmp_path / "model.safetensors"
    save_network(path, source)
    assert_equal(start(settings, path, str(path)), source)
    shared = start(settings, path)
    assert_equal(shared.backbone, source.backbone)
    assert (shared.head.weight != 7).all()


def test_from_scratch_nothing_is_frozen_and_statistics_are_learned():
    options = {"stride": 8, "frozen_layers": 1}
    settings = Network(backbone="resnet50", options=options, weights="none")
    with torch.device("meta"):
        scratch = starting_backbone(view(settings), "cam", 0, scratch=True)
        loaded = starting_backbone(view(settings), "cam", 0, scratch=False)
    assert scratch.fixed_norms() == []
    assert all(p.requires_grad for p in scratch.parameters())
    assert len(loaded.fixed_norms()) == 53
    assert not loaded.conv1.weight.requires_grad


def test_random_weights_depend_on_the_seed_alone(settings):
    torch.manual_seed(1)
    one = starting_backbone(view(settings), "cam", 0, True)
    torch.manual_seed(2)
    assert_equal(one, starting_backbone(view(settings), "cam", 0, True))
    other = starting_backbone(view(settings), "cam", 1, True)
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
        backbone = starting_backbone(view(network), "cam", 4, weights is None)
        drawn.append(torch.rand(3))
        load_start(WithHead(backbone), tmp_path / weights if weights else None, "network")
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    starting_backbone(view(settings), "cam", 5, True)
    assert not torch.equal(drawn[0], torch.rand(3))


def test_fixed_batch_statistics_are_frozen(settings):
    changed = {**settings.options, "train_batchnorm": False}
    fixed = settings.model_copy(update={"options": changed})
    for network, learns in ((settings, True), (fixed, False)):
        backbone = starting_backbone(view(network), "cam", 0, True)
        norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms
        assert all(p.requires_grad == learns for norm in norms for p in norm.parameters())


def test_a_missing_file_is_named(settings, tmp_path):
    with pytest.raises(ValueError, match="none.safetensors: no such file"):
        start(settings, tmp_path / "none.safetensors")
