"""SEAM: self-supervised equivariant attention [SEAM], the method the paper builds on.

Two views of a batch, at full and at reduced scale; a pixel correlation module (PCM) refines the
CAMs; regularisation makes both views agree.
"""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from hfpl.networks.interface import full_precision, resize_like, resized, widths
from hfpl.plugins.methods.interface import MethodLoss, MethodNetwork, Term, View
from hfpl.plugins.methods.seam.correlation import correlate
from hfpl.plugins.methods.seam.losses import (
    classification,
    enlarged_mean,
    equivariance,
    minimum_response,
    present_classes,
    select_channels,
)
from hfpl.sections.section import Share, Width


def build(
    backbone: nn.Module,
    num_classes: int,
    *,
    view_scale: Annotated[float, Field(gt=0, lt=1)],
    pcm_channels: Annotated[list[Width], Field(min_length=2, max_length=2)],
    dropout: Share,
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
    """One view's maps of all classes; channel 0 is background.

    Shapes:
        cam, cam_rv: (N, C, H, W), before and after PCM, at the input's size.
        logits: (N, C, h, w), at the backbone's stride.
    """

    cam: Tensor
    cam_rv: Tensor
    logits: Tensor


class SeamMaps(NamedTuple):
    """One view's maps at the backbone's stride.

    Shapes:
        logits: (N, C, h, w), before PCM, of background and all classes.
        refined: (N, P, h, w), after PCM, of all these channels or of those that were asked for.
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
        d4, d5, d6 = widths(backbone, "conv4", "conv5", "conv6")
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
        maps = self.maps(images)
        whole = images.shape[2:]
        return SeamOutput(resized(maps.logits, whole), resized(maps.refined, whole), maps.logits)

    def maps(self, images: Tensor, channels: Tensor | None = None) -> SeamMaps:
        """Maps of normalised images (N, 3, H, W).

        Args:
            channels: int64 (N, P), each image's channels that PCM refines; None: all.
        """
        features = self.backbone(images)
        dropped = self.dropout(features["conv6"])
        # Elementwise work on a few channels runs faster with each channel in one piece.
        logits = full_precision(self.fc8(dropped)).contiguous()
        f4 = functional.relu(self.f8_3(features["conv4"].detach()))
        f5 = functional.relu(self.f8_4(features["conv5"].detach()))
        small = resize_like(images, logits.shape[2:]).to(f4.dtype)
        embedded = full_precision(self.f9(torch.cat([small, f4, f5], 1)))
        cam = normalised_cam(logits.detach())
        if channels is not None:
            cam = select_channels(cam, channels)
        # Autocast would take the affinities, and with them the CAMs, in half precision.
        with torch.autocast(images.device.type, enabled=False):
            return SeamMaps(logits, correlate(cam, embedded), dropped)

    def cams(self, images: Tensor, classes: Sequence[int]) -> Tensor:
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.cams`: PCM's output."""
        channels = torch.tensor(classes, device=images.device) + 1
        refined = self.maps(images, channels.expand(len(images), -1)).refined
        return resized(refined, images.shape[2:])


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
        """As :meth:`hfpl.plugins.methods.interface.MethodNetwork.losses`."""
        reduced = scaled_size(images.shape[2:], self.view_scale)
        if reduced[0] * reduced[1] < 4:
            raise ValueError(
                f"cam.methods.seam.view_scale: {self.view_scale} makes a second view of "
                f"{reduced[0]} x {reduced[1]} pixels; take a larger scale or crop"
            )
        small = resize_like(images, reduced)
        channels = compared_channels(labels)
        one, two = self.maps(images, channels), self.maps(small, channels)
        return compare_views(images, one, small, two, labels)


def compared_channels(labels: Tensor) -> Tensor:
    """Channels of background and of the classes that are compared, int64 (N, P)."""
    classes, _ = present_classes(labels)
    return functional.pad(classes + 1, (1, 0))


def compare_views(
    images: Tensor, one: SeamMaps, small: Tensor, two: SeamMaps, labels: Tensor
) -> MethodLoss:
    """SEAM's loss of two views of a batch.

    Args:
        images, small: the views, (N, 3, H, W) and (N, 3, H', W').
        one, two: their maps, those after PCM of the channels that :func:`compared_channels`
            names. They are enlarged to their images' size.
        labels: float32 (N, K) in {0, 1}.
    """
    channels = one.logits.shape[1]
    classes, present = present_classes(labels)
    # Classes that are absent from an image are zero in all terms but the classification's: only
    # the others are enlarged.
    whole, reduced = images.shape[2:], small.shape[2:]
    cam_1, cam_2 = (
        resized(select_channels(view.logits, classes + 1), size)
        for view, size in ((one, whole), (two, reduced))
    )
    cam_rv_1, cam_rv_2 = resized(one.refined, whole), resized(two.refined, reduced)
    er, ecr = equivariance(cam_1, cam_rv_1, cam_2, cam_rv_2, present, channels)
    terms = {
        "cls_1": Term(classification(enlarged_mean(one.logits[:, 1:], whole), labels), 0.5),
        "cls_2": Term(classification(enlarged_mean(two.logits[:, 1:], reduced), labels), 0.5),
        "rvmin_1": Term(minimum_response(cam_rv_1, present), 0.5),
        "rvmin_2": Term(minimum_response(cam_rv_2, present), 0.5),
        "er": Term(er, 1.0),
        "ecr": Term(ecr, 1.0),
    }
    return MethodLoss(terms, (_view("cls_1", images, one), _view("cls_2", small, two)))


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


def _view(term: str, image: Tensor, maps: SeamMaps) -> View:
    return View(term, image, maps.logits[:, 1:], maps.logits[:, :1])
