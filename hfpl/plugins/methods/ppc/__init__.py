"""PPC: SEAM with pixel-to-prototype contrast [PPC].

The features of every position are drawn to the prototype of its class, within a view and across
the two; docs/method.md, 7.3.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import full_precision, resize_like, resized, widths
from hfpl.plugins.methods.interface import MethodLoss, Term
from hfpl.plugins.methods.ppc.contrast import (
    Compared,
    class_scores,
    contrasts,
    prototypes,
    pseudo_labels,
)
from hfpl.plugins.methods.seam import (
    PcmNetwork,
    SeamMaps,
    check_pcm,
    compare_views,
    compared_channels,
)
from hfpl.plugins.methods.seam.losses import select_channels
from hfpl.sections.section import Fraction, NonNegative, Share, Width


def build(
    backbone: nn.Module,
    num_classes: int,
    *,
    view_size: Annotated[int, Field(ge=2, le=4096)],
    pcm_channels: Annotated[list[Width], Field(min_length=2, max_length=2)],
    dropout: Share,
    projection: Width,
    background: Fraction,
    weight: NonNegative,
) -> "PpcNetwork":
    """Build PPC's network.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        num_classes: K, without background.
        view_size: side of the second view in pixels (128 in the paper).
        pcm_channels: widths of f8_3 and f8_4 (64 and 128 in the paper).
        dropout: share of channels dropped before the classifier (0.5 in the paper).
        projection: width of the compared features (128 in the paper).
        background: score of the background in the pseudo-labels (0.2 in the paper).
        weight: of each of the three terms (0.1 in the paper).
    """
    if view_size < 2:
        raise ValueError(f"cam.methods.ppc.view_size: expected at least 2, found {view_size}")
    check_pcm("ppc", pcm_channels, dropout)
    if projection < 1:
        raise ValueError(f"cam.methods.ppc.projection: expected at least 1, found {projection}")
    if not 0 <= background < 1:
        raise ValueError(f"cam.methods.ppc.background: expected 0 to 1, found {background}")
    if weight < 0:
        raise ValueError(f"cam.methods.ppc.weight: expected at least 0, found {weight}")
    settings = (view_size, tuple(pcm_channels), dropout, projection, background, weight)
    return PpcNetwork(backbone, num_classes, *settings)


class PpcNetwork(PcmNetwork):
    """SEAM's network, and ``proj_fc`` to the features that are compared."""

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        view_size: int,
        pcm_channels: tuple[int, int],
        dropout: float,
        projection: int,
        background: float,
        weight: float,
    ) -> None:
        super().__init__(backbone, num_classes, pcm_channels, dropout)
        self.view_size, self.background, self.weight = view_size, background, weight
        self.proj_fc = nn.Conv2d(*widths(backbone, "conv6"), projection, 1, bias=False)
        nn.init.xavier_uniform_(self.proj_fc.weight)

    def losses(self, images: Tensor, labels: Tensor, progress: float) -> MethodLoss:
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.losses`."""
        small = resize_like(images, (self.view_size, self.view_size))
        one, two = self.maps(images), self.maps(small)
        channels = compared_channels(labels)
        present = (v._replace(refined=select_channels(v.refined, channels)) for v in (one, two))
        loss = compare_views(images, next(present), small, next(present), labels)
        # The terms compare both views on the second one's grid.
        one, two = (self._compared(view, two.logits.shape[2:], labels) for view in (one, two))
        with torch.autocast(images.device.type, enabled=False):
            terms = {name: Term(v, self.weight) for name, v in contrasts(one, two).items()}
        return MethodLoss({**loss.terms, **terms}, loss.views)

    def _compared(self, view: SeamMaps, grid: torch.Size, labels: Tensor) -> Compared:
        projected = full_precision(functional.relu(self.proj_fc(view.features)))
        features = resized(projected, grid).permute(0, 2, 3, 1).flatten(0, 2)
        scores = class_scores(resized(view.refined, grid), self.background)
        return Compared(
            functional.normalize(features, dim=1),
            prototypes(features, scores),
            pseudo_labels(scores, labels),
        )
