"""The feature similarity loss, pair by pair."""

import math

import torch
from torch import Tensor


def pairwise_loss(
    image: Tensor, activations: Tensor, mu: float, sigma: float | None, repel: float = 1.0
) -> Tensor:
    """The definition: tensors of size N x hw x hw, with autograd, in the dtype of its input."""
    count, _, height, width = activations.shape
    x = image.to(activations).clamp(0, 1).flatten(2).transpose(1, 2)
    y = activations.flatten(2).transpose(1, 2)
    distance = (torch.cdist(x, x, p=1) / 3).clamp(0, 1)
    weight = torch.tanh(mu + torch.log((distance + 1e-5) / (1 - distance + 1e-5)))
    weight = torch.where(weight > 0, repel * weight, weight)
    if sigma is None:
        gaussian = torch.tensor(1 / (height * width)).to(y)
    else:
        at = torch.cartesian_prod(torch.arange(height), torch.arange(width)).view(-1, 2).to(y)
        gaussian = torch.exp(-0.5 * (torch.cdist(at, at) / sigma) ** 2) / (2 * math.pi * sigma**2)
    energy = 0.5 * torch.cdist(y, y) ** 2
    return -(gaussian * energy * weight).sum() / (count * height * width)
