"""The four parameter groups, and the polynomial decay of their learning rates."""

import torch
from torch import nn

from hfpl.networks.interface import StandsOnBackbone
from hfpl.sections.training import AdamW, Sgd


def parameter_groups(network: StandsOnBackbone) -> list[list[nn.Parameter]]:
    """Trainable parameters: pre-trained weights, their biases, new weights, new biases. [PSA]"""
    new = {id(p) for layer in network.new_layers() for p in layer.parameters()}
    groups: list[list[nn.Parameter]] = [[], [], [], []]
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            group = 2 * (id(parameter) in new) + name.endswith("bias")
            groups[group].append(parameter)
    return groups


def make_optimiser(network: StandsOnBackbone, settings: Sgd | AdamW) -> torch.optim.Optimizer:
    """SGD or AdamW over the four groups; biases have no weight decay.

    Each group keeps its initial learning rate under ``initial_lr``.
    """
    factors = settings.factors
    scales = (1.0, factors.biases, factors.new_weights, factors.new_biases)
    groups = [
        {
            "params": parameters,
            "lr": settings.lr * scale,
            "initial_lr": settings.lr * scale,
            "weight_decay": 0.0 if number % 2 else settings.weight_decay,
        }
        for number, (parameters, scale) in enumerate(
            zip(parameter_groups(network), scales, strict=True)
        )
        if parameters
    ]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, foreach=True)
    return torch.optim.AdamW(groups, lr=settings.lr, foreach=True)


def poly_factor(step: int, steps: int, power: float) -> float:
    """Factor of the learning rate at a step counted from 0: (1 - step/steps)^power."""
    return (1 - step / steps) ** power


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to its initial one times ``factor``."""
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * factor
