"""SEAM's loss terms as functions of the two views' maps [SEAM]; docs/method.md, 1.3.

Maps are (N, P + 1, h, w) with background in channel 0; labels are (N, P) without it. They hold
all K foreground classes, or those alone that :func:`present_classes` names.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from hfpl.losses import max_norm
from hfpl.networks.interface import resized

_HARD_SHARE = 0.2
"""Share of the most different values that the cross term looks at."""


def present_classes(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The classes that any term but the classification's can come from.

    Args:
        labels: float32 (N, K) in {0, 1}.

    Returns:
        classes int64 (N, P): each image's, filled up with absent ones to as many as any image
        has, and at least one; their labels (N, P). On a GPU all classes: to count is to wait for
        the device.
    """
    if labels.device.type != "cpu":
        return torch.arange(labels.shape[1], device=labels.device).expand_as(labels), labels
    most = max(1, int(labels.count_nonzero(1).max()))
    classes = labels.argsort(dim=1, descending=True, stable=True)[:, :most]
    return classes, labels.gather(1, classes)


def select_channels(maps: Tensor, channels: Tensor) -> Tensor:
    """Some channels of each image's maps: (N, C, h, w) and int64 (N, P) to (N, P, h, w)."""
    first = torch.arange(len(maps), device=maps.device)[:, None] * maps.shape[1]
    chosen = maps.flatten(0, 1).index_select(0, (first + channels).flatten())
    return chosen.view(*channels.shape, *maps.shape[2:])


def enlarged_mean(maps: Tensor, size: torch.Size) -> Tensor:
    """Spatial mean of maps (N, K, h, w) resized to ``size`` (bilinear, aligned corners): (N, K)."""
    rows, columns = (
        _mean_weights(*sides).to(maps) for sides in zip(maps.shape[2:], size, strict=True)
    )
    return (maps @ columns) @ rows


@lru_cache(maxsize=64)
def _mean_weights(length: int, target: int) -> Tensor:
    """What each of ``length`` values adds to the mean of the ``target`` values made of them."""
    each = torch.eye(length, dtype=torch.float64)[None]
    return functional.interpolate(each, target, mode="linear", align_corners=True)[0].mean(1)


def classification(scores: Tensor, labels: Tensor) -> Tensor:
    """Multi-label soft margin of the maps' spatial means (N, K), foreground only."""
    return functional.binary_cross_entropy_with_logits(scores, labels)


def minimum_response(cam_rv: Tensor, labels: Tensor) -> Tensor:
    """Mean of the lowest quarter of the refined foreground: there should be some background."""
    peak = (cam_rv[:, 1:] * labels[:, :, None, None]).amax(1).flatten(1)
    lowest = peak.topk(peak.shape[1] // 4, dim=1, largest=False, sorted=False).values
    return functional.relu(lowest).mean()


def equivariance(
    cam_1: Tensor, cam_rv_1: Tensor, cam_2: Tensor, cam_rv_2: Tensor, labels: Tensor, channels: int
) -> tuple[Tensor, Tensor]:
    """Agreement of the views, l_er, and of each view with the other's refined maps, l_ecr.

    Args:
        cam_1, cam_2: foreground of the views, (N, P, h, w); their background follows from it.
        cam_rv_1, cam_rv_2: their refined maps, with background. View 1's maps are resized to view
            2's size.
        labels: float32 (N, P) in {0, 1}.
        channels: C. Those that are not among the maps are zero in all of them: they add nothing,
            and count all the same.
    """
    size = cam_2.shape[2:]
    present = labels[:, :, None, None]
    c_1, c_2 = (resized(max_norm(cam), size) * present for cam in (cam_1, cam_2))
    er = (c_1 - c_2).abs().sum() / (len(labels) * (channels - 1) * size.numel())
    present = functional.pad(present, (0, 0, 0, 0, 1, 0), value=1.0)
    r_1, r_2 = (resized(max_norm(cam), size) for cam in (cam_rv_1, cam_rv_2))
    hardest = int(channels * size.numel() * _HARD_SHARE)
    ecr = _hardest((_one_hot(c_2) - r_1) * present, hardest)
    return er, ecr + _hardest((_one_hot(c_1) - r_2) * present, hardest)


@torch.no_grad()
def _one_hot(foreground: Tensor) -> Tensor:
    """Background = 1 - largest foreground; of the foreground only the maximum is kept."""
    best = foreground.amax(1, keepdim=True)
    return torch.cat([1 - best, torch.where(foreground == best, foreground, 0.0)], 1)


def _hardest(difference: Tensor, count: int) -> Tensor:
    """Mean of each image's ``count`` largest absolute values, then of the batch."""
    values = difference.abs().flatten(1)
    largest = values.topk(min(count, values.shape[1]), dim=1, sorted=False).values
    return largest.sum() / (len(values) * count)
