"""Job of stage pretrain, and how a training says what weights it starts from."""

from collections.abc import Iterable
from pathlib import Path

from hfpl.jobs.job import File, Job, Names, Params
from hfpl.networks.weights.published import missing_file
from hfpl.sections.network import AS_NETWORK
from hfpl.stages.data.job import CHECKED

_BACKBONE = ["network.backbone", "network.options"]


def backbone_reads(params: Params) -> list[str]:
    """Parameters that a network's backbone is built by."""
    return _BACKBONE


def backbone_plugin(params: Params) -> list[str]:
    """Module of the backbone."""
    return [f"hfpl.plugins.backbones.{params.network.backbone}"]


def start_reads(params: Params, stage: str) -> list[str]:
    """Parameters that say what a stage's training starts from."""
    shared = getattr(params, stage).weights == AS_NETWORK
    return [*_BACKBONE, f"{stage}.weights", *(["network.weights"] if shared else [])]


def start_weights(stage: str) -> File:
    """The weights that a stage's training starts from: made here, a file, or none."""

    def paths(params: Params, common: str, names: Names) -> list[str]:
        chosen = getattr(params, stage).weights
        chosen = params.network.weights if chosen == AS_NETWORK else chosen
        return {"pretrain": PRETRAIN["weights"].patterns(params, common), "none": []}.get(
            chosen, [chosen]
        )

    return File(
        "weights",
        paths,
        "weights to start from (.safetensors, .pth, .params): the backbone's, or those of the "
        "whole network where the stage's weights parameter names a file; without, random ones",
        optional=True,
        missing=missing_file,
    )


TRAINED = ("cam", "affinity", "segment")
"""Stages that train on a backbone."""


def is_wanted(params: Params) -> bool:
    """Whether a training starts from the weights that this stage makes."""
    made = PRETRAIN["weights"].patterns(params, "")
    return any(start_weights(stage).patterns(params, "") == made for stage in TRAINED)


def lost_weights(params: Params) -> list[str]:
    """Weights that a training starts from, made by no stage, which are not there."""
    return [file for file in given_weights(params, TRAINED) if not Path(file).is_file()]


def given_weights(params: Params, stages: Iterable[str]) -> list[str]:
    """Weights that trainings start from and no stage makes, sorted."""
    made = PRETRAIN["weights"].patterns(params, "")
    found = {file for stage in stages for file in start_weights(stage).patterns(params, "")}
    return sorted(found - set(made))


PRETRAIN = Job(
    "pretrain",
    "train a backbone to classify generated pictures, in place of ImageNet's weights",
    "hfpl.stages.pretrain.train:pretrain_backbone",
    reads=lambda params: [*_BACKBONE, "pretrain"],
    inputs=(CHECKED,),
    outputs=(
        File(
            "weights", "pretrain/backbone.safetensors", "backbone weights to write (.safetensors)"
        ),
        File("history", "pretrain/history.csv", "losses to write (.csv)"),
    ),
    kind="training",
    plugins=backbone_plugin,
    when=is_wanted,
)
JOBS = (PRETRAIN,)
