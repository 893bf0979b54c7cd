"""PuzzleCAM [Puzzle]: CAMs of an image and of its four tiles should agree.

Source: docs/method.md, 7.2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.plugins.methods.cam import CamNetwork, soft_margin
from hfpl.plugins.methods.interface import MethodLoss, Term, View
from hfpl.sections.section import NonNegative

_RISE = 0.5
"""Share of the training over which the reconstruction's weight grows."""


def build(backbone: nn.Module, num_classes: int, *, alpha: NonNegative) -> "PuzzleNetwork":
    """Build PuzzleCAM's network.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        num_classes: K, without background.
        alpha: final weight of the reconstruction (4 in the paper, 1 as its code's default).
    """
    if alpha < 0:
        raise ValueError(f"cam.methods.puzzle.alpha: expected at least 0, found {alpha}")
    return PuzzleNetwork(backbone, num_classes, alpha)


class PuzzleNetwork(CamNetwork):
    """The classification network, also trained on tiles."""

    def __init__(self, backbone: nn.Module, num_classes: int, alpha: float) -> None:
        super().__init__(backbone, num_classes)
        self.alpha = alpha

    def losses(self, images: Tensor, labels: Tensor, progress: float) -> MethodLoss:
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.losses`."""
        whole = self(images)
        height, width = whole.shape[2:]
        tiled = join(self(tiles(images, self.backbone.stride)))[:, :, :height, :width]
        difference = (whole - tiled).abs() * labels[:, :, None, None]
        terms = {
            "cls": Term(soft_margin(whole, labels), 1.0),
            "cls_tiled": Term(soft_margin(tiled, labels), 1.0),
            "reconstruction": Term(difference.mean(), self.alpha * min(1.0, progress / _RISE)),
        }
        return MethodLoss(terms, (View("cls", images, whole),))


def tiles(images: Tensor, stride: int) -> Tensor:
    """Two by two equal tiles of each image: (N, 3, H, W) → (4N, 3, H'/2, W'/2).

    H' and W' are H and W padded with zeros, right and below, to the next multiple of two strides:
    a tile's map then has whole cells, which lie where the image's own do.

    Returns:
        All images' upper left tiles, then the upper right, lower left and lower right ones.
    """
    height, width = images.shape[2:]
    padded = functional.pad(images, (0, -width % (2 * stride), 0, -height % (2 * stride)))
    rows = padded.chunk(2, dim=2)
    return torch.cat([tile for row in rows for tile in row.chunk(2, dim=3)])


def join(maps: Tensor) -> Tensor:
    """Maps of tiles, in the order of :func:`tiles`, as maps of images: (4N, K, h, w) →
    (N, K, 2h, 2w)."""
    upper_left, upper_right, lower_left, lower_right = maps.chunk(4)
    upper, lower = torch.cat([upper_left, upper_right], 3), torch.cat([lower_left, lower_right], 3)
    return torch.cat([upper, lower], 2)
