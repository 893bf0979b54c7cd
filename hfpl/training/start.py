"""Build a backbone with the weights it starts from."""

from pathlib import Path

from torch import nn

from hfpl.networks.backbones import build_backbone
from hfpl.networks.interface import freeze
from hfpl.params.network import Network
from hfpl.runtime import seed_torch
from hfpl.storage.tensors import load_network


def starting_backbone(
    settings: Network, weights: str | Path | None, stage: str, seed: int
) -> nn.Module:
    """Backbone with weights from a file, or random ones where ``weights`` is None.

    What the stage does not train is frozen. The layers that a network adds afterwards draw from
    the seed, whatever the backbone drew.

    Raises:
        ValueError: the file cannot be read or does not fit the backbone.
    """
    seed_torch("backbone", seed)
    backbone = build_backbone(settings.backbone, settings.options)
    if weights is not None:
        load_network(weights, backbone)
    freeze(backbone, stage)
    seed_torch("new layers", seed)
    return backbone
