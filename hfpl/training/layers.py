"""Layers that look at more than one sample, or draw, where several processes share a batch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.distributed.batch import all_reduce_mean, own_part, world_size
from hfpl.networks.interface import full_precision


def share_layers(network: nn.Module, part: int) -> None:
    """Have batch statistics and dropout follow the whole batch; in one process, do nothing.

    In place; names, weights and what happens in evaluation mode stay.

    Args:
        part: samples of this process's part of the batch.
    """
    if world_size() == 1:
        return
    for module in network.modules():
        if type(module) in _SHARED:
            # Another class over the same state: there is nothing to copy, or to forget.
            module.__class__ = _SHARED[type(module)]
            module.part = part


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation by the statistics of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = full_precision(x)
        own = values.mean((0, 2, 3))
        mean = all_reduce_mean(own)
        # Around the common mean, and not of squares: float32 would lose what they differ by.
        spread = values.var((0, 2, 3), unbiased=False) + (own - mean) ** 2
        variance = all_reduce_mean(spread)
        self._follow(mean.detach(), variance.detach(), world_size() * values.numel() // len(own))
        scale = (variance + self.eps).rsqrt() * self.weight
        offset = self.bias - mean * scale
        return (values * scale[:, None, None] + offset[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


class SharedDropout(nn.Dropout):
    """Dropout that draws for the whole batch, what one process would."""

    def forward(self, x: Tensor) -> Tensor:
        whole = _ones(x, x.shape[2:])
        return x * own_part(functional.dropout(whole, self.p, self.training), len(x) // self.part)


class SharedDropout2d(nn.Dropout2d):
    """Dropout of channels that draws for the whole batch, what one process would."""

    def forward(self, x: Tensor) -> Tensor:
        whole = _ones(x, (1, 1))
        return x * own_part(functional.dropout2d(whole, self.p, self.training), len(x) // self.part)


def _ones(x: Tensor, spatial: tuple[int, ...]) -> Tensor:
    """Of the whole batch's shape; in x's order in memory, which the draws may follow."""
    order = torch.contiguous_format
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        order = torch.channels_last
    shape = (len(x) * world_size(), x.shape[1], *spatial)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=order).fill_(1)


_SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: SharedBatchNorm2d,
    nn.Dropout: SharedDropout,
    nn.Dropout2d: SharedDropout2d,
}
