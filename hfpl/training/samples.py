"""Which samples make up each step, and their loading in the background.

A step's samples and each sample's random changes depend on the seed and on their place in the
training alone: not on the number of processes that load them or share a batch, and not on where a
run was interrupted.
"""

import signal
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from hfpl.distributed.batch import raise_any
from hfpl.numerics import Runtime, derived_seed, generator


class RandomSamples(Protocol):
    """A data set whose samples are changed at random, by the generator it is given."""

    def __len__(self) -> int: ...

    def sample(self, index: int, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Tensors of one sample, equal in shape over the data set."""
        ...


def steps_per_epoch(samples: int, batch: int) -> int:
    """Whole batches in an epoch; the last, incomplete one is dropped.

    Raises:
        ValueError: there are fewer samples than a batch holds.
    """
    if samples < batch:
        raise ValueError(
            f"{samples} training images are fewer than a batch of {batch}; lower the stage's batch"
        )
    return samples // batch


def load_batches(
    samples: RandomSamples,
    batch: int,
    start: int,
    steps: int,
    seed: int,
    runtime: Runtime,
    part: slice = slice(None),
) -> Iterator[list[torch.Tensor]]:
    """Batches of the steps ``start`` to ``steps``, on the runtime's device.

    Every epoch visits the samples in a new random order.

    Args:
        part: of each batch, what this process loads.

    Raises:
        ValueError: as :func:`steps_per_epoch`; a sample cannot be read, in all processes.
    """
    per_epoch = steps_per_epoch(len(samples), batch)
    loader = DataLoader(
        _Keyed(samples, seed),
        batch_sampler=_Order(len(samples), batch, per_epoch, start, steps, seed, part),
        num_workers=runtime.workers,
        pin_memory=runtime.device.type == "cuda",
        collate_fn=_collate,
        worker_init_fn=_start_worker,
        prefetch_factor=4 if runtime.workers else None,
    )
    for tensors in loader:
        raise_any(tensors if isinstance(tensors, ValueError) else None)
        yield [t.to(runtime.device, non_blocking=True) for t in tensors]


class _Order:
    """For each step the (epoch, index) of its samples."""

    def __init__(
        self,
        samples: int,
        batch: int,
        per_epoch: int,
        start: int,
        steps: int,
        seed: int,
        part: slice,
    ) -> None:
        self.samples, self.batch, self.per_epoch = samples, batch, per_epoch
        self.start, self.steps, self.seed, self.part = start, steps, seed, part

    def __len__(self) -> int:
        return self.steps - self.start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order, of_epoch = None, -1
        for step in range(self.start, self.steps):
            epoch, place = divmod(step, self.per_epoch)
            if epoch != of_epoch:
                order = generator("order", self.seed, epoch).permutation(self.samples)
                of_epoch = epoch
            chosen = order[place * self.batch : (place + 1) * self.batch]
            yield [(epoch, int(index)) for index in chosen[self.part]]


class _Keyed(Dataset):
    """Gives each sample the generator of its epoch and index."""

    def __init__(self, samples: RandomSamples, seed: int) -> None:
        self.samples = samples
        self.seed = derived_seed("samples", seed)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        try:
            return self.samples.sample(index, rng)
        except ValueError as error:
            # Raised by a worker, it would reach the user with the worker's traceback as its text.
            return error.with_traceback(None)


def _collate(samples: list[Any]) -> Any:
    """A batch, or the error of a sample that could not be read."""
    return next((s for s in samples if isinstance(s, ValueError)), None) or default_collate(samples)


def _start_worker(_: int) -> None:
    torch.set_num_threads(1)
    # A scheduler signals all processes of a job. Were the workers gone at once, the main process
    # could not finish its step and write its checkpoint; it ends them itself, at the latest the
    # alarm does.
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(20))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
