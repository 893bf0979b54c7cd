"""The network a training starts from: random weights, or those of a file."""

import logging
from pathlib import Path

from hfpl.jobs.settings import Settings
from hfpl.networks.interface import Backbone, StandsOnBackbone, freeze
from hfpl.networks.weights.match import load_weights
from hfpl.networks.weights.published import imagenet_weights
from hfpl.numerics import seed_torch
from hfpl.plugins.backbones import build_backbone
from hfpl.sections.network import AS_NETWORK, IMAGENET, network_of, weights_of

_log = logging.getLogger(__name__)


def weights_to_start_from(settings: Settings, stage: str, given: Path | None) -> Path | None:
    """The file that a stage's training starts from: the one given, that of an installed package
    where the parameters ask for its weights, or None.

    Raises:
        ValueError: the package is not installed, or its file is another one.
    """
    if given or weights_of(settings, stage) != IMAGENET:
        return given
    published = imagenet_weights(network_of(settings, stage))
    return published.installed() if published and published.package else None


def starting_backbone(settings: Settings, stage: str, seed: int, scratch: bool) -> Backbone:
    """Backbone with random weights, frozen as the stage asks.

    The layers that a network adds afterwards draw from the seed, whatever the backbone drew.

    Args:
        scratch: no weights follow, so that nothing is frozen.
    """
    seed_torch("backbone", seed)
    backbone = build_backbone(settings.backbone, settings.options.as_dict())
    if scratch:
        backbone.begin_from_scratch()
    freeze(backbone, stage)
    seed_torch("new layers", seed)
    return backbone


def load_start(network: StandsOnBackbone, weights: str | Path | None, chosen: str) -> None:
    """Load the weights a training starts from, where there are any, and report what matched.

    Args:
        weights: the file, or None.
        chosen: the stage's ``weights`` parameter. A file of the stage's own may hold its heads; of
            the file that all stages share, only the backbone is taken: another network's heads can
            have the same names.

    Raises:
        ValueError: as :func:`hfpl.networks.weights.match.load_weights`.
    """
    if weights is None:
        return
    match = load_weights(weights, network, heads=chosen != AS_NETWORK)
    _log.info("\n".join(match.lines(Path(weights).name)))
