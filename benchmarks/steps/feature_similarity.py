"""FSL, forward and backward, against tensors of all pairs."""

import math

import torch
from torch import Tensor

from benchmarks.comparison import Comparison, assert_close
from hfpl.losses import class_activations, feature_similarity_loss

MU, SIGMA = 2.5, 5.0


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


def _prepare(small: bool) -> tuple[Tensor, Tensor]:
    count, classes, side = (1, 3, 8) if small else (8, 20, 56)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(count, 3, side, side, generator=generator)
    scores = torch.randn(count, classes, side, side, generator=generator)
    present = torch.rand(count, classes, generator=generator).argsort(1)[:, :2]
    labels = torch.zeros(count, classes).scatter_(1, present, 1)
    return image, class_activations(scores, labels)


def _plain(image: Tensor, activations: Tensor) -> tuple[Tensor, Tensor]:
    activations = activations.clone().requires_grad_()
    loss = pairwise_loss(image, activations, MU, SIGMA)
    loss.backward()
    return loss.detach(), activations.grad


def _fast(image: Tensor, activations: Tensor) -> tuple[Tensor, Tensor]:
    activations = activations.clone().requires_grad_()
    loss = feature_similarity_loss(image, activations, mu=MU, sigma=SIGMA)
    loss.backward()
    return loss.detach(), activations.grad


COMPARISONS = (
    Comparison(
        "FSL forward and backward, 8x21x56x56",
        "tensors of all pairs",
        _prepare,
        _plain,
        _fast,
        assert_close,
        faster=8,
        lighter=5,
    ),
)
