"""SEAM: self-supervised equivariant attention [SEAM], the method the paper builds on.

Two views of a batch, at full and at reduced scale; a pixel correlation module (PCM) refines the
CAMs; regularisation makes both views agree.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.methods.interface import MethodLoss, MethodNetwork, Term, View
from hfpl.methods.seam_losses import classification, equivariance, minimum_response
from hfpl.networks.interface import full_precision, resize_like

_RECEIVERS = 1024
"""Positions that PCM computes at once."""


def build(
    backbone: nn.Module,
    num_classes: int,
    *,
    view_scale: float,
    pcm_channels: list[int],
    dropout: float,
) -> "SeamNetwork":
    """Build SEAM's network.

    Args:
        backbone: see :class:`hfpl.networks.interface.Backbone`.
        num_classes: K, without background.
        view_scale: size of the second view, as a share of the first (0.3 in the paper).
        pcm_channels: widths of f8_3 and f8_4 (64 and 128 in the paper).
        dropout: share of channels dropped before the classifier (0.5 in the paper).
    """
    if not 0 < view_scale < 1:
        raise ValueError(f"cam.methods.seam.view_scale: expected 0 to 1, found {view_scale}")
    check_pcm("seam", pcm_channels, dropout)
    return SeamNetwork(backbone, num_classes, view_scale, tuple(pcm_channels), dropout)


def check_pcm(method: str, pcm_channels: list[int], dropout: float) -> None:
    """ValueError for options of :class:`PcmNetwork` that are out of range."""
    if len(pcm_channels) != 2 or min(pcm_channels) < 1:
        raise ValueError(
            f"cam.methods.{method}.pcm_channels: expected two positive widths, found {pcm_channels}"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"cam.methods.{method}.dropout: expected 0 to 1, found {dropout}")


class SeamOutput(NamedTuple):
    """One view's maps; channel 0 is background.

    Shapes:
        cam, cam_rv: (N, C, H, W), before and after PCM, at the input's size.
        logits: (N, C, h, w), at the backbone's stride.
    """

    cam: Tensor
    cam_rv: Tensor
    logits: Tensor


class SeamMaps(NamedTuple):
    """One view's maps at the backbone's stride; channel 0 is background.

    Shapes:
        logits, refined: (N, C, h, w), before and after PCM.
        features: (N, D, h, w), what the classifier saw.
    """

    logits: Tensor
    refined: Tensor
    features: Tensor


class PcmNetwork(MethodNetwork):
    """Backbone, classifier ``fc8`` and PCM (``f8_3``, ``f8_4``, ``f9``); subclasses add losses."""

    def __init__(
        self, backbone: nn.Module, num_classes: int, pcm_channels: tuple[int, int], dropout: float
    ) -> None:
        super().__init__(backbone)
        d4, d5, d6 = backbone.channels
        a, b = pcm_channels
        self.dropout = nn.Dropout2d(dropout)
        self.fc8 = nn.Conv2d(d6, num_classes + 1, 1, bias=False)
        self.f8_3 = nn.Conv2d(d4, a, 1, bias=False)
        self.f8_4 = nn.Conv2d(d5, b, 1, bias=False)
        self.f9 = nn.Conv2d(3 + a + b, a + b, 1, bias=False)
        nn.init.xavier_uniform_(self.fc8.weight)
        nn.init.kaiming_normal_(self.f8_3.weight)
        nn.init.kaiming_normal_(self.f8_4.weight)
        nn.init.xavier_uniform_(self.f9.weight, gain=4)

    def forward(self, images: Tensor) -> SeamOutput:
        """Maps of normalised images (N, 3, H, W), at their size."""
        return enlarged(self.maps(images), images.shape[2:])

    def maps(self, images: Tensor) -> SeamMaps:
        """Maps of normalised images (N, 3, H, W)."""
        features = self.backbone(images)
        dropped = self.dropout(features.conv6)
        # Elementwise work on a few channels runs faster with each channel in one piece.
        logits = full_precision(self.fc8(dropped)).contiguous()
        size = logits.shape[2:]
        f4 = functional.relu(self.f8_3(features.conv4.detach()))
        f5 = functional.relu(self.f8_4(features.conv5.detach()))
        small = resize_like(images, size).to(f4.dtype)
        embedded = full_precision(self.f9(torch.cat([small, f4, f5], 1)))
        # Autocast would take the affinities, and with them the CAMs, in half precision.
        with torch.autocast(images.device.type, enabled=False):
            refined = correlate(normalised_cam(logits.detach()), embedded)
        return SeamMaps(logits, refined, dropped)

    def cams(self, images: Tensor) -> Tensor:
        """As :meth:`hfpl.methods.interface.MethodNetwork.cams`: PCM's output."""
        return self(images).cam_rv[:, 1:]


class SeamNetwork(PcmNetwork):
    """The network, trained on an image and its reduced view."""

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        view_scale: float,
        pcm_channels: tuple[int, int],
        dropout: float,
    ) -> None:
        super().__init__(backbone, num_classes, pcm_channels, dropout)
        self.view_scale = view_scale

    def losses(self, images: Tensor, labels: Tensor, progress: float) -> MethodLoss:
        """As :meth:`hfpl.methods.interface.MethodNetwork.losses`."""
        reduced = scaled_size(images.shape[2:], self.view_scale)
        if reduced[0] * reduced[1] < 4:
            raise ValueError(
                f"cam.methods.seam.view_scale: {self.view_scale} makes a second view of "
                f"{reduced[0]} x {reduced[1]} pixels; take a larger scale or crop"
            )
        small = resize_like(images, reduced)
        return compare_views(images, self(images), small, self(small), labels)


def compare_views(
    images: Tensor, one: SeamOutput, small: Tensor, two: SeamOutput, labels: Tensor
) -> MethodLoss:
    """SEAM's loss of two views of a batch, each given by its images and maps."""
    er, ecr = equivariance(one.cam, one.cam_rv, two.cam, two.cam_rv, labels)
    terms = {
        "cls_1": Term(classification(one.cam, labels), 0.5),
        "cls_2": Term(classification(two.cam, labels), 0.5),
        "rvmin_1": Term(minimum_response(one.cam_rv, labels), 0.5),
        "rvmin_2": Term(minimum_response(two.cam_rv, labels), 0.5),
        "er": Term(er, 1.0),
        "ecr": Term(ecr, 1.0),
    }
    return MethodLoss(terms, (_view("cls_1", images, one), _view("cls_2", small, two)))


def enlarged(maps: SeamMaps, size: torch.Size) -> SeamOutput:
    """A view's maps at its images' size (H, W)."""
    return SeamOutput(_upsample(maps.logits, size), _upsample(maps.refined, size), maps.logits)


def scaled_size(size: tuple[int, int] | torch.Size, scale: float) -> tuple[int, int]:
    """Height and width of the second view, rounded down."""
    return math.floor(size[0] * scale), math.floor(size[1] * scale)


def normalised_cam(logits: Tensor) -> Tensor:
    """CAMs that PCM spreads: (N, C, h, w) → (N, C, h, w) in [0, 1].

    Each channel is divided by its maximum; background is 1 - the largest foreground; of the
    foreground only each position's maximum is kept.
    """
    positive = functional.relu(logits)
    peak = positive.amax((2, 3), keepdim=True) + 1e-5
    cam = functional.relu(positive - 1e-5) / peak
    foreground = cam[:, 1:]
    best = foreground.amax(1, keepdim=True)
    kept = torch.where(foreground < best, 0.0, foreground)
    return torch.cat([1 - best, kept], 1)


def correlate(cam: Tensor, features: Tensor) -> Tensor:
    """Spread CAMs (N, C, h, w) over positions of similar features (N, D, h, w).

    Affinity is the cosine of the features without its negative part; what a position receives
    is normalised to sum to one.
    """
    n, c, h, w = cam.shape
    flat = features.reshape(n, -1, h * w)
    flat = flat / (flat.norm(dim=1, keepdim=True) + 1e-5)
    # A row of ones gives the columns' sums in the same product; dividing what was spread by them
    # equals dividing the whole matrix, which is by far the largest tensor here.
    counted = functional.pad(cam.reshape(n, c, h * w), (0, 0, 0, 1), value=1.0)
    transposed = flat.transpose(1, 2)
    # A photograph at twice its size has ten thousand positions: receivers are taken in blocks, so
    # that inference needs memory for a strip of the matrix and not for its square.
    spread = torch.cat(
        [counted @ functional.relu(transposed @ block) for block in flat.split(_RECEIVERS, 2)], 2
    )
    return (spread[:, :c] / (spread[:, c:] + 1e-5)).reshape(n, c, h, w)


def _view(term: str, image: Tensor, output: SeamOutput) -> View:
    return View(term, image, output.logits[:, 1:], output.logits[:, :1])


def _upsample(maps: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)
