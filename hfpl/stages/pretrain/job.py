"""Job of stage pretrain, and how a training says what weights it starts from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hfpl.jobs.job import File, Job, Names, Params
from hfpl.networks.weights.published import imagenet_weights, missing_file
from hfpl.sections.network import AS_NETWORK, IMAGENET, network_key, network_of, weights_of
from hfpl.stages.data.job import CHECKED


def backbone_reads(params: Params, stage: str) -> list[str]:
    """Parameters that the backbone of a stage's network is built by."""
    key = network_key(params, stage)
    own = [f"{stage}.network"] if key == "network" else []
    return [*own, f"{key}.backbone", f"{key}.options"]


def backbone_plugin(params: Params, stage: str) -> list[str]:
    """Module of the backbone of a stage's network."""
    return [f"hfpl.plugins.backbones.{network_of(params, stage).backbone}"]


def start_reads(params: Params, stage: str) -> list[str]:
    """Parameters that say what a stage's training starts from."""
    shared = getattr(params, stage).weights == AS_NETWORK
    weights = [f"{network_key(params, stage)}.weights"] if shared else []
    return [*backbone_reads(params, stage), f"{stage}.weights", *weights]


def start_weights(stage: str) -> File:
    """The weights that a stage's training starts from: made here, a file, or none."""

    def paths(params: Params, common: str, names: Names) -> list[str]:
        chosen = weights_of(params, stage)
        if chosen == IMAGENET:
            return _imagenet_files(network_of(params, stage))
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


def _imagenet_files(network: Any) -> list[str]:
    """A file that a person put there; that of a package has its checksum in the code instead, and
    lies elsewhere on every machine."""
    published = imagenet_weights(network)
    return [] if published is None or published.package else [published.file]


TRAINED = ("cam", "affinity", "segment")
"""Stages that train on a backbone."""


def is_wanted(params: Params) -> bool:
    """Whether a training starts from the weights that this stage makes."""
    made = PRETRAIN["weights"].patterns(params, "")
    return any(start_weights(stage).patterns(params, "") == made for stage in TRAINED)


def lost_weights(params: Params) -> list[str]:
    """Weights that a training starts from, made by no stage, which are not there."""
    return [file for file in given_weights(params, TRAINED) if not Path(file).is_file()]


def lost_packages(params: Params) -> list[str]:
    """A line for each network whose ImageNet weights come with a package that is not installed."""
    asking = [stage for stage in TRAINED if weights_of(params, stage) == IMAGENET]
    published = {network_key(params, s): imagenet_weights(network_of(params, s)) for s in asking}
    return [
        f"{key}.weights: {IMAGENET}: {weights.missing}"
        for key, weights in published.items()
        if weights and weights.missing
    ]


def given_weights(params: Params, stages: Iterable[str]) -> list[str]:
    """Weights that trainings start from and no stage makes, sorted."""
    made = PRETRAIN["weights"].patterns(params, "")
    found = {file for stage in stages for file in start_weights(stage).patterns(params, "")}
    return sorted(found - set(made))


PRETRAIN = Job(
    "pretrain",
    "train a backbone to classify generated pictures, in place of ImageNet's weights",
    "hfpl.stages.pretrain.train:pretrain_backbone",
    reads=lambda params: ["network.backbone", "network.options", "pretrain"],
    inputs=(CHECKED,),
    outputs=(
        File(
            "weights", "pretrain/backbone.safetensors", "backbone weights to write (.safetensors)"
        ),
        File("history", "pretrain/history.csv", "losses to write (.csv)"),
    ),
    kind="training",
    plugins=lambda params: [f"hfpl.plugins.backbones.{params.network.backbone}"],
    when=is_wanted,
    memory=4000,
    minutes=60,
)
JOBS = (PRETRAIN,)
