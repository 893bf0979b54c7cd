"""A backbone so small that its methods can be followed by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from hfpl.networks.interface import Backbone, Features
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.interface import MethodNetwork


class Convs(Backbone):
    """A convolution for each of the features, at stride 4."""

    channels, stride = {"conv4": 4, "conv5": 5, "conv6": 6}, 4

    def __init__(self, kernel: int, padding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, kernel, stride=4, padding=padding)
        self.second, self.third = nn.Conv2d(4, 5, 1), nn.Conv2d(5, 6, 1)

    def forward(self, images: torch.Tensor) -> Features:
        one = torch.relu(self.first(images))
        two = torch.relu(self.second(one))
        return {"conv4": one, "conv5": two, "conv6": torch.relu(self.third(two))}


@pytest.fixture(scope="session")
def build() -> Callable[..., MethodNetwork]:
    """Build a method on the small backbone, with random weights of a seed.

    With ``blind`` a cell sees its own 4 x 4 pixels and no others.
    """

    def build(
        name: str, classes: int = 3, seed: int = 0, *, blind: bool = False, **options
    ) -> MethodNetwork:
        torch.manual_seed(seed)
        backbone = Convs(4, 0) if blind else Convs(3, 1)
        return build_method(name, backbone, classes, options)

    return build


def random_batch(images: int, classes: int, height: int, width: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    batch = torch.randn(images, 3, height, width, generator=generator)
    labels = (torch.rand(images, classes, generator=generator) < 0.5).float()
    labels[0] = 0  # There are images without any class.
    if images > 1:
        labels[-1, 0] = 1
    return batch, labels


@pytest.fixture(scope="session")
def batch() -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """Random images and labels; the first image has no class."""
    return random_batch


@pytest.fixture(params=[(2, 16, 24), (1, 21, 17), (3, 30, 13)])
def sizes(request) -> tuple[int, int, int]:
    """Images, height and width of batches."""
    return request.param


@pytest.fixture(scope="session")
def plain_margin() -> Callable[[np.ndarray, torch.Tensor], float]:
    """Binary cross-entropy of the mean of each map, averaged over images and classes."""

    def compute(scores: np.ndarray, labels: torch.Tensor) -> float:
        values = []
        for i, k in np.ndindex(*labels.shape):
            p = 1 / (1 + math.exp(-scores[i, k].mean()))
            values.append(-math.log(p if labels[i, k] else 1 - p))
        return sum(values) / len(values)

    return compute
