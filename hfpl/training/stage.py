"""Train a stage's network from its samples to its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hfpl.distributed.batch import joined, part_of
from hfpl.distributed.process import rank
from hfpl.networks.interface import StandsOnBackbone
from hfpl.numerics import Runtime
from hfpl.sections.training import AdamW, Sgd
from hfpl.storage.atomic import write_text
from hfpl.storage.tensors import save_network
from hfpl.training.checkpoint import Checkpoint
from hfpl.training.layers import share_layers
from hfpl.training.loop import LossOf, Plan, history_csv, run_training
from hfpl.training.optimiser import make_optimiser
from hfpl.training.samples import RandomSamples, load_batches


@dataclass(frozen=True)
class TrainingFiles:
    """Files of a training.

    Attributes:
        model: the network's weights, written at the end.
        history: CSV of the losses, written at the end.
        digest: of all the training depends on; its checkpoint is used for no other.
    """

    model: Path
    history: Path
    digest: str

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint beside the model."""
        return Checkpoint(self.model.with_suffix(".checkpoint"), self.digest)


def train_stage(
    network: StandsOnBackbone,
    samples: RandomSamples,
    loss_of: LossOf,
    batch: int,
    optimiser: Sgd | AdamW,
    plan: Plan,
    files: TrainingFiles,
    runtime: Runtime,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Train a network and write its weights and history; goes on from a checkpoint.

    The processes that torchrun started, if it did, each take an equal part of every batch; the
    first of them writes the files.

    Args:
        batch: samples of a step, in all processes together.
        metadata: kept in the file of the weights.

    Raises:
        ValueError: too few samples for a batch, a batch without equal parts, or the loss is not
            finite.
        hfpl.jobs.progress.Interrupted: the process was asked to stop.
    """
    network.to(runtime.device, memory_format=torch.channels_last)
    with joined(runtime.device):
        part = part_of(batch, f"{plan.name.split()[0]}.batch")
        share_layers(network, part.stop - part.start)
        history = run_training(
            network,
            make_optimiser(network, optimiser),
            lambda start: load_batches(samples, batch, start, plan.steps, plan.seed, runtime, part),
            loss_of,
            plan,
            files.checkpoint,
        )
    if rank() == 0:
        write_text(files.history, history_csv(history))
        save_network(files.model, network, metadata)
        files.checkpoint.remove()
