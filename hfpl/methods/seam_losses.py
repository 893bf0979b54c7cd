"""SEAM's loss terms as functions of the two views' maps [SEAM].

All maps are (N, C, h, w) with background in channel 0; labels are (N, K) without it.
"""

import torch
from torch import Tensor
from torch.nn import functional

from hfpl.losses import max_norm

_HARD_SHARE = 0.2
"""Share of the most different values that the cross term looks at."""


def classification(cam: Tensor, labels: Tensor) -> Tensor:
    """Multi-label soft margin of the spatial mean, foreground only."""
    return functional.binary_cross_entropy_with_logits(cam[:, 1:].mean((2, 3)), labels)


def minimum_response(cam_rv: Tensor, labels: Tensor) -> Tensor:
    """Mean of the lowest quarter of the refined foreground: there should be some background."""
    peak = (cam_rv[:, 1:] * labels[:, :, None, None]).amax(1).flatten(1)
    lowest = peak.topk(peak.shape[1] // 4, dim=1, largest=False, sorted=False).values
    return functional.relu(lowest).mean()


def equivariance(
    cam_1: Tensor, cam_rv_1: Tensor, cam_2: Tensor, cam_rv_2: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Agreement of the views, l_er, and of each view with the other's refined maps, l_ecr.

    Args:
        cam_1, cam_rv_1: maps of view 1, (N, C, H, W).
        cam_2, cam_rv_2: maps of view 2, (N, C, h, w); view 1's are resized to theirs.
        labels: float32 (N, K) in {0, 1}.
    """
    size = cam_2.shape[2:]
    present = functional.pad(labels, (1, 0), value=1.0)[:, :, None, None]
    c_1 = _resize(max_norm(cam_1), size) * present
    r_1 = _resize(max_norm(cam_rv_1), size) * present
    c_2, r_2 = max_norm(cam_2) * present, max_norm(cam_rv_2) * present
    er = (c_1[:, 1:] - c_2[:, 1:]).abs().mean()
    ecr = _hardest(_one_hot(c_2) - r_1, present) + _hardest(_one_hot(c_1) - r_2, present)
    return er, ecr


def _resize(maps: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


@torch.no_grad()
def _one_hot(cam: Tensor) -> Tensor:
    """Background := 1 - largest foreground; of the foreground only the maximum is kept."""
    foreground = cam[:, 1:]
    best = foreground.amax(1, keepdim=True)
    return torch.cat([1 - best, torch.where(foreground == best, foreground, 0.0)], 1)


def _hardest(difference: Tensor, present: Tensor) -> Tensor:
    """Mean of each image's largest absolute differences, then of the batch."""
    values = (difference.abs() * present).flatten(1)
    k = int(values.shape[1] * _HARD_SHARE)
    return values.topk(k, dim=1, sorted=False).values.mean()
