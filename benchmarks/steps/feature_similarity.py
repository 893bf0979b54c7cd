"""FSL, forward and backward, against tensors of all pairs."""

import torch
from torch import Tensor

from benchmarks.comparison import Comparison, assert_close
from hfpl.losses import class_activations, feature_similarity_loss
from tests.plain.feature_similarity import pairwise_loss

MU, SIGMA = 2.5, 5.0


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
