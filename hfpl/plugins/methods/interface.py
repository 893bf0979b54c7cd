"""What a CAM method offers: its losses, its logits for the add-on, and its CAMs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from hfpl.networks.interface import StandsOnBackbone
from hfpl.plugins.methods.scaling import scale_by_range


class Term(NamedTuple):
    """One term of a method's loss: a scalar, and its weight in the total."""

    value: Tensor
    weight: float


@dataclass(frozen=True)
class View:
    """One view of the batch that classification was learned from.

    Attributes:
        term: name of the classification term that belongs to this view.
        image: normalised images (N, 3, H, W).
        foreground: logits of the foreground classes at every position, (N, K, h, w).
        background: logits of the background, (N, 1, h, w), where the method has them.
    """

    term: str
    image: Tensor
    foreground: Tensor
    background: Tensor | None = None


@dataclass(frozen=True)
class MethodLoss:
    """A method's weighted loss terms by name, and its views, the main one first."""

    terms: dict[str, Term]
    views: tuple[View, ...]


class MethodNetwork(StandsOnBackbone):
    """A CAM method's network; subclasses define ``losses`` and ``cams``."""

    def losses(self, images: Tensor, labels: Tensor, progress: float) -> MethodLoss:
        """Loss of a batch.

        Args:
            images: normalised, (N, 3, H, W).
            labels: float32 (N, K) in {0, 1}.
            progress: share of the training's steps that are done, in [0, 1).
        """
        raise NotImplementedError

    def cams(self, images: Tensor, classes: Sequence[int]) -> Tensor:
        """CAMs of some foreground classes, float32 (N, len(classes), h', w') at any resolution."""
        raise NotImplementedError

    def scaled(self, cams: Tensor) -> Tensor:
        """Scores, about [0, 1], of CAMs (m, H, W) that were summed over an image's views."""
        return scale_by_range(cams)
