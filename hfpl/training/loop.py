"""The training loop that every trained stage runs."""

import csv
import io
import logging
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hfpl.distributed.batch import any_process, barrier, data_parallel, means
from hfpl.distributed.process import rank
from hfpl.jobs.progress import Interrupted, track
from hfpl.networks.interface import StandsOnBackbone
from hfpl.numerics import seed_torch
from hfpl.training.checkpoint import Checkpoint
from hfpl.training.optimiser import poly_factor, set_learning_rates

_log = logging.getLogger(__name__)

LossOf = Callable[[list[Tensor], float], dict[str, Tensor]]
"""From a batch, and the share of the steps that are done, in [0, 1), to named scalars; ``total`` is
what is minimised, the others are shown."""

_ROWS = 50
"""Rows of the history, whatever the number of steps."""
_CHECKPOINT_EVERY = 60.0
"""Seconds between checkpoints."""


@dataclass(frozen=True)
class Plan:
    """How long to train and how the learning rate decays.

    Attributes:
        name: shown beside the progress bar.
        steps: number of steps.
        decay_steps: at which the learning rate would reach zero.
        power: of the polynomial decay.
        seed: of dropout and of the losses' draws.
        rate: multiple of the optimiser's learning rates.
    """

    name: str
    steps: int
    decay_steps: int
    power: float
    seed: int
    rate: float = 1.0


def run_training(
    network: StandsOnBackbone,
    optimiser: torch.optim.Optimizer,
    batches: Callable[[int], Iterable[list[Tensor]]],
    loss_of: LossOf,
    plan: Plan,
    checkpoint: Checkpoint,
) -> list[dict[str, float]]:
    """Train in place, going on from the checkpoint where there is one.

    Of several processes that share each batch, the first writes the checkpoints.

    Args:
        batches: from the first step to the batches of that and all later steps.
        loss_of: see :data:`LossOf`.

    Returns:
        The history: for each of about fifty windows the last step and the means of the losses.

    Raises:
        Interrupted: SIGTERM or SIGINT came; the state is in the checkpoint.
        ValueError: the loss is not finite.
    """
    progress = _go_on(network, optimiser, plan, checkpoint)
    start = progress["step"]
    history = _History(plan.steps, progress)
    network.train()
    loss_of = data_parallel(network, loss_of)
    saved = time.monotonic()
    with track(plan.name, plan.steps, "steps", start) as advance, _stop_signals() as stopped:
        for step, batch in enumerate(batches(start), start):
            # Seeded by the step, an interrupted run draws what an uninterrupted one would.
            seed_torch("step", plan.seed, step)
            decayed = poly_factor(step, plan.decay_steps, plan.power)
            set_learning_rates(optimiser, plan.rate * decayed)
            losses = loss_of(batch, step / plan.steps)
            optimiser.zero_grad(set_to_none=True)
            losses["total"].backward()
            optimiser.step()
            advance(**history.add(step, losses))
            if step + 1 == plan.steps:
                break  # All is done: a signal that comes now has nothing to interrupt.
            stop, due = any_process(stopped(), time.monotonic() - saved > _CHECKPOINT_EVERY)
            if stop or due:
                state = history.state(step + 1)
                if rank() == 0:
                    checkpoint.save(network, optimiser, state)
                saved = time.monotonic()
            if stop:
                barrier()  # The first to go has its launcher end the others.
                raise Interrupted(f"{plan.name}: stopped at step {step + 1}, checkpoint written")
    return history.rows


def _go_on(
    network: StandsOnBackbone,
    optimiser: torch.optim.Optimizer,
    plan: Plan,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """Where the training begins; says so where there is a checkpoint."""
    there = checkpoint.path.exists() and rank() == 0
    progress = checkpoint.load(network, optimiser)
    if there and progress:
        _log.info("%s: goes on at step %d of %d", plan.name, progress["step"], plan.steps)
    elif there:
        _log.info(
            "%s: begins anew; its checkpoint is of other parameters, photographs or code", plan.name
        )
    return progress or {"step": 0, "history": [], "sums": {}}


class _History:
    """Means of the losses over windows of steps, summed on the device: no wait per step."""

    def __init__(self, steps: int, progress: dict[str, Any]) -> None:
        self.rows: list[dict[str, float]] = progress["history"]
        self._window = max(1, steps // _ROWS)
        self._steps = steps
        self._sums: dict[str, Any] = dict(progress["sums"])
        self._count = progress.get("count", 0)

    def add(self, step: int, losses: dict[str, Tensor]) -> dict[str, float]:
        """Count a step; at the end of a window, its mean total loss."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double()
        self._count += 1
        if (step + 1) % self._window and step + 1 < self._steps:
            return {}
        found = {name: total / self._count for name, total in means(self._sums).items()}
        _check_finite(found, step + 1)
        self.rows.append({"step": step + 1, **found})
        self._sums, self._count = {}, 0
        return {"loss": found["total"]}

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint needs to go on as if nothing had happened."""
        sums = means(self._sums)
        _check_finite(sums, step)  # A checkpoint of a failed training would fail again.
        return {"step": step, "history": self.rows, "sums": sums, "count": self._count}


def _check_finite(values: dict[str, float], step: int) -> None:
    if not all(map(math.isfinite, values.values())):
        raise ValueError(f"the loss is not finite at step {step}; lower the learning rate")


def history_csv(history: list[dict[str, float]]) -> str:
    """History as CSV with a header."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: v if k == "step" else f"{v:.6g}" for k, v in row.items()} for row in history
    )
    return buffer.getvalue()


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and SIGINT into a question asked after each step."""
    received: list[int] = []
    signals = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(s, lambda number, _: received.append(number)) for s in signals]
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)
