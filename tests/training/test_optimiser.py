"""Parameter groups and the decay of the learning rate."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hfpl.networks.interface import Backbone, StandsOnBackbone
from hfpl.sections.training import AdamW, LearningRateFactors, Sgd
from hfpl.training.optimiser import (
    make_optimiser,
    parameter_groups,
    poly_factor,
    set_learning_rates,
)

FACTORS = LearningRateFactors(biases=2.0, new_weights=10.0, new_biases=20.0)
SGD = Sgd(name="sgd", lr=0.01, weight_decay=5e-4, power=0.9, factors=FACTORS, momentum=0.9)
ADAMW = AdamW(name="adamw", lr=0.01, weight_decay=5e-4, power=0.9, factors=FACTORS)


class Network(StandsOnBackbone):
    """Pre-trained and new layers, each with weights and biases; one layer is frozen."""

    def __init__(self, *, biases: bool = True) -> None:
        backbone = Backbone()
        backbone.frozen_conv = nn.Conv2d(3, 2, 1)
        backbone.frozen_conv.requires_grad_(False)
        backbone.conv = nn.Conv2d(2, 2, 1, bias=biases)
        backbone.norm = nn.BatchNorm2d(2, affine=biases)
        super().__init__(backbone)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Sequential(nn.Conv2d(2, 4, 1, bias=biases), nn.ReLU())
        self.last = nn.Conv2d(4, 5, 1, bias=biases)


def test_each_trainable_parameter_is_in_the_group_of_its_kind():
    network = Network()
    names = {id(p): name for name, p in network.named_parameters()}
    groups = [[names[id(p)] for p in group] for group in parameter_groups(network)]
    assert groups == [
        ["backbone.conv.weight", "backbone.norm.weight"],
        ["backbone.conv.bias", "backbone.norm.bias"],
        ["head.0.weight", "last.weight"],
        ["head.0.bias", "last.bias"],
    ]


@pytest.mark.parametrize(
    ("settings_", "kind"), [(SGD, torch.optim.SGD), (ADAMW, torch.optim.AdamW)]
)
def test_groups_have_their_learning_rates_and_biases_no_decay(settings_, kind):
    optimiser = make_optimiser(Network(), settings_)
    assert type(optimiser) is kind
    rates = [group["lr"] for group in optimiser.param_groups]
    assert rates == pytest.approx([0.01, 0.02, 0.1, 0.2])
    assert [group["initial_lr"] for group in optimiser.param_groups] == rates
    assert [group["weight_decay"] for group in optimiser.param_groups] == [5e-4, 0, 5e-4, 0]
    if kind is torch.optim.SGD:
        assert {group["momentum"] for group in optimiser.param_groups} == {0.9}


def test_groups_without_parameters_are_left_out():
    optimiser = make_optimiser(Network(biases=False), SGD)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.01, 0.1])
    assert [group["weight_decay"] for group in optimiser.param_groups] == [5e-4, 5e-4]


@settings(deadline=None)
@given(steps=st.integers(1, 1000), power=st.floats(0.1, 3))
def test_the_decay_falls_from_one_and_stays_positive(steps, power):
    factors = [poly_factor(step, steps, power) for step in range(steps)]
    assert factors[0] == 1
    assert all(a > b > 0 for a, b in zip(factors, factors[1:], strict=False))


def test_setting_rates_scales_the_initial_ones_and_does_not_accumulate():
    optimiser = make_optimiser(Network(), ADAMW)
    for factor in (0.5, 0.25):
        set_learning_rates(optimiser, factor)
        rates = [group["lr"] for group in optimiser.param_groups]
        assert rates == pytest.approx([factor * r for r in (0.01, 0.02, 0.1, 0.2)])


def test_sgd_steps_as_written_out():
    """Weight decay enters the gradient, momentum sums up gradients, biases do not decay."""
    network = Network()
    optimiser = make_optimiser(network, SGD)
    weight, bias = network.last.weight, network.last.bias
    expected = {p: p.detach().double().numpy().copy() for p in (weight, bias)}
    momentum = dict.fromkeys((weight, bias), 0.0)
    rng = np.random.default_rng(0)
    for _ in range(3):
        for parameter, rate, decay in ((weight, 0.1, 5e-4), (bias, 0.2, 0.0)):
            gradient = rng.normal(size=tuple(parameter.shape)).astype(np.float32)
            parameter.grad = torch.from_numpy(gradient)
            total = gradient + decay * expected[parameter]
            momentum[parameter] = 0.9 * momentum[parameter] + total
            expected[parameter] = expected[parameter] - rate * momentum[parameter]
        optimiser.step()
    for parameter in (weight, bias):
        np.testing.assert_allclose(parameter.detach().numpy(), expected[parameter], rtol=1e-5)
