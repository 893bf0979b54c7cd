"""A batch that several processes share: each has an equal part, in the order of their numbers.

The gradient that a step takes is the mean of the processes' own (DistributedDataParallel). That is
the whole batch's gradient for every loss that is a mean over samples; what else goes over the batch
(counts, prototypes) is computed of :func:`all_gather`, and what is drawn at random is drawn for
the whole batch, from the same seed everywhere, and cut by :func:`own_part`. In one process all of
this does nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from hfpl.distributed import process
from hfpl.distributed.process import rank

_TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others; torchrun ends them all sooner where one is gone."""

_host: list[distributed.ProcessGroup] = []
"""The group, if any, for what processes tell each other without waiting for their GPUs."""


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Work together with the other processes that torchrun started, if there are any.

    Raises:
        ValueError: another process is gone.
    """
    if process.world_size() == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    _host.append(distributed.new_group(backend="gloo", timeout=_TIMEOUT))
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, distributed.DistError) or "gloo" in str(error):
            raise ValueError(
                "another process of this training ended; the log has its error"
            ) from error
        raise
    finally:
        _host.clear()
        distributed.destroy_process_group()


def world_size() -> int:
    """Number of processes that share a batch."""
    return distributed.get_world_size() if _host else 1


def part_of(batch: int, name: str) -> slice:
    """This process's samples of a batch.

    Raises:
        ValueError: the batch has no equal parts; ``name`` is the parameter that says its size.
    """
    if batch % world_size():
        raise ValueError(
            f"{name}: a batch of {batch} has no {world_size()} equal parts, one for each process; "
            f"choose another batch or number of processes"
        )
    length = batch // world_size()
    return slice(rank() * length, (rank() + 1) * length) if _host else slice(0, batch)


def own_part(whole: Tensor, copies: int = 1) -> Tensor:
    """This process's rows of what was made for the whole batch.

    Args:
        copies: how often the batch stands in the rows, one whole after the other: PuzzleCAM's
            tiles are four.
    """
    if not _host:
        return whole
    return torch.cat([rows.chunk(world_size())[rank()] for rows in whole.chunk(copies)])


def all_gather(part: Tensor) -> Tensor:
    """Rows of the whole batch, of each process's own, with gradient.

    A loss of them is the same number in all processes, and its gradient the whole batch's.
    """
    return _Gathered.apply(part) if _host else part


class _Gathered(torch.autograd.Function):
    """Rows of all processes; each sends the gradient of its own rows back."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        parts = [
            torch.empty_like(part, memory_format=torch.contiguous_format)
            for _ in range(world_size())
        ]
        distributed.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # The step takes the mean over the processes, and only this one has these rows' gradient.
        return own_part(gradient) * world_size()


def all_reduce_mean(values: Tensor) -> Tensor:
    """Mean of a tensor that each process has, with gradient; the values must be float."""
    return _Mean.apply(values) if _host else values


class _Mean(torch.autograd.Function):
    """Mean over processes, as is its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _mean(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _mean(gradient)


def _mean(values: Tensor) -> Tensor:
    total = values.contiguous().clone()
    distributed.all_reduce(total)
    return total / world_size()


def means(values: Mapping[str, Any]) -> dict[str, float]:
    """Means over the processes of named numbers, which may lie on the device."""
    if not _host or not values:
        return {name: float(value) for name, value in values.items()}
    device = next((v.device for v in values.values() if isinstance(v, Tensor)), None)
    held = [torch.as_tensor(v, dtype=torch.float64, device=device) for v in values.values()]
    return dict(zip(values, _mean(torch.stack(held)).tolist(), strict=True))


def any_process(*asked: bool) -> tuple[bool, ...]:
    """For each question, whether any process says yes."""
    if not _host:
        return asked
    answers = torch.tensor(asked, dtype=torch.uint8)
    distributed.all_reduce(answers, distributed.ReduceOp.MAX, group=_host[0])
    return tuple(map(bool, answers.tolist()))


def raise_any(error: ValueError | None) -> None:
    """Raise a process's error in all of them.

    A process that went alone would leave the others waiting for it.
    """
    if _host and any_process(error is not None)[0]:
        texts: list[str | None] = [None] * world_size()
        distributed.all_gather_object(texts, error and str(error), group=_host[0])
        raise ValueError(next(filter(None, texts)))
    if error is not None:
        raise error


def barrier() -> None:
    """Go on when all processes are here."""
    any_process(False)


def data_parallel(
    network: nn.Module, loss_of: Callable[[list[Tensor], float], dict[str, Tensor]]
) -> Callable[[list[Tensor], float], dict[str, Tensor]]:
    """A loss of the network whose ``backward`` leaves the mean gradient of all processes.

    They start from the weights of process 0.
    """
    if not _host:
        return loss_of
    return DistributedDataParallel(_Loss(network, loss_of), forward_sync_buffers=False)


class _Loss(nn.Module):
    """A loss as a module: DistributedDataParallel wraps what is called, and its parameters."""

    def __init__(self, network: nn.Module, loss_of: Callable[..., dict[str, Tensor]]) -> None:
        super().__init__()
        self.network, self.loss_of = network, loss_of

    def forward(self, batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        return self.loss_of(batch, progress)
