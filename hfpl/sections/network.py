"""The backbone that every stage's network stands on, and the weights it starts from."""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from hfpl.sections.section import Name, Section, Text

Options = dict[str, Any]
"""Keyword arguments of a plug-in's ``build``; its file says which there are and their types."""

AS_NETWORK = "network"
"""A stage's weights are those of the section ``network``."""
IMAGENET = "imagenet"
"""Weights of ImageNet that belong to the backbone."""
WEIGHT_ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".tar", ".params")
"""Endings by which a file's name is told from a word; what it holds tells its format."""


def _starts_all(value: str) -> str:
    words = (IMAGENET, "pretrain", "none")
    return value if value in words else _weights_file(value, "'imagenet', 'pretrain', 'none'")


def _starts_stage(value: str) -> str:
    return value if value == AS_NETWORK else _weights_file(value, f"'{AS_NETWORK}'")


def _weights_file(value: str, words: str) -> str:
    if PurePath(value).suffix.lower() not in WEIGHT_ENDINGS:
        raise ValueError(f"should be {words} or a file ending in {', '.join(WEIGHT_ENDINGS)}")
    if "{" in value or "}" in value:  # In Snakemake's paths they are wildcards.
        raise ValueError("should be a file whose path has no braces; rename it or link to it")
    return value


StageWeights = Annotated[
    Text,
    AfterValidator(_starts_stage),
    Field(
        title="network, or a file for this stage alone",
        description="'network' (its backbone weights), or a file to start from: the stage's whole "
        "network or a backbone",
    ),
]


DEFAULT = "default"
"""A stage's network is that of the section ``network``."""


class Network(Section):
    """Backbone, its options, and where its weights come from."""

    backbone: Name = Field(description="name of a file in hfpl/plugins/backbones")
    options: Options = Field(description="keyword arguments of its build()")
    weights: Annotated[Text, AfterValidator(_starts_all)] = Field(
        title="imagenet, pretrain, none, or a file (.safetensors, .pth, .params)",
        description="'imagenet' (those that belong to the backbone; 'hfpl weights' shows them), "
        "'pretrain' (made by the stage pretrain), 'none' (random), or a file: .safetensors, .pth "
        "or .params",
    )


StageNetwork = Annotated[
    Network | Literal["default"],
    Field(
        title="default (the section network), or one of its own",
        description="'default': the network of the section network; or one of the stage's own: "
        "backbone, options and weights",
    ),
]


def network_of(parameters: Any, stage: str) -> Any:
    """The section that says which network a stage has, of parameters or of a job's settings.

    Args:
        stage: one that trains on a backbone: ``cam``, ``affinity`` or ``segment``.
    """
    own = getattr(parameters, stage).network
    return parameters.network if own == DEFAULT else own


def network_key(parameters: Any, stage: str) -> str:
    """Key of that section."""
    return "network" if getattr(parameters, stage).network == DEFAULT else f"{stage}.network"


def weights_of(parameters: Any, stage: str) -> str:
    """What a stage's training starts from: its own choice, or else its network's.

    Args:
        parameters, stage: as for :func:`network_of`.
    """
    own = getattr(parameters, stage).weights
    return network_of(parameters, stage).weights if own == AS_NETWORK else own
