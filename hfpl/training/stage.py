"""Train a stage's network from its samples to its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hfpl.networks.interface import StandsOnBackbone
from hfpl.params.training import AdamW, Sgd
from hfpl.runtime import Runtime
from hfpl.storage.atomic import write_text
from hfpl.storage.tensors import save_network
from hfpl.training.checkpoint import Checkpoint
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

    Args:
        metadata: kept in the file of the weights.

    Raises:
        ValueError: too few samples for a batch, or the loss is not finite.
        hfpl.progress.Interrupted: the process was asked to stop.
    """
    network.to(runtime.device, memory_format=torch.channels_last)
    history = run_training(
        network,
        make_optimiser(network, optimiser),
        lambda start: load_batches(samples, batch, start, plan.steps, plan.seed, runtime),
        loss_of,
        plan,
        files.checkpoint,
    )
    write_text(files.history, history_csv(history))
    save_network(files.model, network, metadata)
    files.checkpoint.remove()
