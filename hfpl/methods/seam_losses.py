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
    images, channels = cam_2.shape[:2]
    rows, labels = _present(labels)
    present = functional.pad(labels, (1, 0), value=1.0)[:, :, None, None]
    maps = (_select(m, rows) for m in (cam_1, cam_rv_1, cam_2, cam_rv_2))
    c_1, r_1, c_2, r_2 = (_resize(max_norm(m), size) * present for m in maps)
    # The channels left out are zero in every map: they add nothing, and count all the same.
    er = (c_1[:, 1:] - c_2[:, 1:]).abs().sum() / (images * (channels - 1) * size.numel())
    hardest = int(channels * size.numel() * _HARD_SHARE)
    ecr = _hardest((_one_hot(c_2) - r_1) * present, hardest)
    return er, ecr + _hardest((_one_hot(c_1) - r_2) * present, hardest)


def _present(labels: Tensor) -> tuple[Tensor | None, Tensor]:
    """Channels that any loss can come from: background, and as many as any image has classes.

    Returns:
        rows (N, P + 1), places of each image's channels among all images' channels in a row, or
        None for all of them in their order; labels (N, P) of the P foreground channels.
    """
    if labels.device.type != "cpu":
        return None, labels  # To count classes is to wait for the device.
    images, classes = labels.shape
    most = max(1, int(labels.count_nonzero(1).max()))
    order = labels.argsort(dim=1, descending=True, stable=True)[:, :most]
    first = torch.arange(images)[:, None] * (classes + 1)
    return torch.cat([first, first + 1 + order], 1), labels.gather(1, order)


def _select(maps: Tensor, rows: Tensor | None) -> Tensor:
    if rows is None:
        return maps
    chosen = maps.flatten(0, 1).index_select(0, rows.flatten())
    return chosen.view(*rows.shape, *maps.shape[2:])


def _resize(maps: Tensor, size: torch.Size) -> Tensor:
    if maps.shape[2:] == size:
        return maps
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


@torch.no_grad()
def _one_hot(cam: Tensor) -> Tensor:
    """Background := 1 - largest foreground; of the foreground only the maximum is kept."""
    foreground = cam[:, 1:]
    best = foreground.amax(1, keepdim=True)
    return torch.cat([1 - best, torch.where(foreground == best, foreground, 0.0)], 1)


def _hardest(difference: Tensor, count: int) -> Tensor:
    """Mean of each image's ``count`` largest absolute values, then of the batch."""
    values = difference.abs().flatten(1)
    largest = values.topk(min(count, values.shape[1]), dim=1, sorted=False).values
    return largest.sum() / (len(values) * count)
