"""What training leaves alone: frozen parts and fixed batch statistics."""

import torch
from torch import nn

from hfpl.networks.interface import Backbone, StandsOnBackbone, freeze, resize_like


class TwoParts(Backbone):
    """A backbone of two parts, the first of which the stage 'cam' leaves alone."""

    channels, stride = {"conv4": 2, "conv5": 2, "conv6": 2}, 1

    def __init__(self, trains_batchnorm: bool) -> None:
        super().__init__()
        self.norms_fixed = not trains_batchnorm
        self.frozen = {"cam": ("first",)}
        self.first = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
        self.second = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))

    def forward(self, images):
        features = self.second(self.first(images))
        return {"conv4": features, "conv5": features, "conv6": features}


class WithHead(StandsOnBackbone):
    def __init__(self, trains_batchnorm: bool) -> None:
        super().__init__(TwoParts(trains_batchnorm))
        self.head = nn.Sequential(nn.Conv2d(2, 1, 1), nn.BatchNorm2d(1))

    def forward(self, images):
        return self.head(self.backbone(images)["conv6"])


def trainable(network: nn.Module) -> set[str]:
    return {name for name, p in network.named_parameters() if p.requires_grad}


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    state = network.state_dict()
    return {name for name in state if not torch.equal(state[name], before[name])}


def steps(network: nn.Module) -> set[str]:
    """Names in the state that a few steps changed."""
    torch.manual_seed(0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.1)
    network.train()
    for _ in range(3):
        optimiser.zero_grad()
        network(torch.randn(4, 3, 5, 5) + 1).square().sum().backward()
        optimiser.step()
    return changed(network, before)


def test_a_stage_s_frozen_parts_and_fixed_statistics_are_out_of_the_gradient():
    network = WithHead(trains_batchnorm=False)
    freeze(network.backbone, "cam")
    head = {"head.0.weight", "head.0.bias", "head.1.weight", "head.1.bias"}
    assert trainable(network) == head | {"backbone.second.0.weight", "backbone.second.0.bias"}


def test_another_stage_freezes_nothing_but_the_statistics():
    network = WithHead(trains_batchnorm=True)
    freeze(network.backbone, "segment")
    assert trainable(network) == {name for name, _ in network.named_parameters()}


def test_training_moves_neither_frozen_parts_nor_fixed_statistics():
    network = WithHead(trains_batchnorm=False)
    freeze(network.backbone, "cam")
    moved = steps(network)
    assert {name for name in moved if name.startswith("backbone.")} == {
        "backbone.second.0.weight",
        "backbone.second.0.bias",
    }
    # The head is new: its own statistics are learned.
    assert "head.1.running_mean" in moved


def test_training_moves_the_statistics_of_a_backbone_that_learns_them():
    moved = steps(WithHead(trains_batchnorm=True))
    for part in ("first.1", "second.1"):
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            assert f"backbone.{part}.{name}" in moved


def test_fixed_statistics_survive_a_change_of_mode():
    network = WithHead(trains_batchnorm=False).eval()
    assert network.train() is network
    assert not network.backbone.first[1].training
    assert network.head[1].training
    assert network.backbone.first[0].training
    assert not network.eval().head[1].training


def test_new_layers_are_all_but_the_backbone():
    network = WithHead(trains_batchnorm=True)
    assert network.new_layers() == [network.head]


def test_resizing_takes_corners_over_and_carries_no_gradient():
    image = torch.arange(12.0).reshape(1, 1, 3, 4).requires_grad_()
    found = resize_like(image, (5, 7))
    assert not found.requires_grad
    assert torch.equal(found[..., ::4, ::6], image[..., ::2, ::3])
    rows, columns = torch.arange(5.0) * 2 / 4, torch.arange(7.0) * 3 / 6
    torch.testing.assert_close(found[0, 0], rows[:, None] * 4 + columns)
