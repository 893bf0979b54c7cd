"""Merging the class activation maps of several scales and mirrored views (method notes, CAM
inference)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# The value below which a normalised activation counts as none; also keeps divisions finite.
EPSILON = 1e-5


def merge_cams(
    cams: Sequence[Tensor],
    mirrored: Sequence[bool],
    size: tuple[int, int],
    labels: Tensor | None = None,
) -> Tensor:
    """Sum the maps of several views of one image at the image's own size.

    Each view is upsampled (bilinear, align_corners=False) and, where it was mirrored, mirrored
    back. Absent classes are left out before any work is done on them.

    Args:
        cams: one tensor (K, h_s, w_s) per view, foreground classes only; not empty.
        mirrored: for each view, whether its image was mirrored left to right.
        size: (H, W) of the image in pixels.
        labels: (K,), nonzero for the classes in the image; without it every class is kept.

    Returns:
        (m, H, W) sums of the m classes kept, in ascending order of class, in the dtype and on
        the device of the maps. m may be 0.

    Raises:
        ValueError: the numbers of views or of classes do not agree, or there is no view.
    """
    if len(cams) == 0:
        raise ValueError("no class activation maps to merge")
    if len(cams) != len(mirrored):
        raise ValueError(f"{len(cams)} maps but {len(mirrored)} mirrored flags")
    classes = cams[0].shape[0]
    for cam in cams:
        if cam.dim() != 3 or cam.shape[0] != classes:
            raise ValueError(f"every map must be ({classes}, h, w), got {tuple(cam.shape)}")
    if labels is None:
        keep = torch.arange(classes, device=cams[0].device)
    elif labels.shape == (classes,):
        keep = labels.nonzero().flatten().to(cams[0].device)
    else:
        raise ValueError(f"labels must be ({classes},), got {tuple(labels.shape)}")

    total = cams[0].new_zeros((len(keep), *size))
    if len(keep) == 0:
        return total
    for cam, flipped in zip(cams, mirrored, strict=True):
        full = F.interpolate(cam[keep][None], size=size, mode="bilinear", align_corners=False)[0]
        total += full.flip(-1) if flipped else full
    return total


def scale_by_range(cams: Tensor) -> Tensor:
    """Scale merged maps to about [0, 1], each class by its own minimum and maximum. [SEAM]

    Negatives become 0, values below (min + 1e-5) become 0, then
    (v - min - 1e-5) / (max - min + 1e-5), min and max being taken after the first step.
    Values just below 0 remain, unlike in the training losses' normalisation.

    Args:
        cams: (m, H, W) summed activations; m may be 0.

    Returns:
        (m, H, W) float32. Where a class's minimum is 0 the values lie in about [-1e-5, 1]; a
        class without any activation is -1 everywhere, because 1e-5 divides 1e-5.

    Raises:
        ValueError: the maps are not three-dimensional or hold no pixel.
    """
    _check_merged(cams)
    cams = cams.float().clamp(min=0)
    low = cams.amin(dim=(1, 2), keepdim=True)
    high = cams.amax(dim=(1, 2), keepdim=True)
    cams = cams.masked_fill(cams < low + EPSILON, 0)
    return (cams - low - EPSILON) / (high - low + EPSILON)


def scale_by_maximum(cams: Tensor) -> Tensor:
    """Scale merged maps to [0, 1): negatives become 0, each class is divided by (max + 1e-5). [IRN]

    Args:
        cams: (m, H, W) summed activations; m may be 0.

    Returns:
        (m, H, W) float32; a class without any activation is 0 everywhere.

    Raises:
        ValueError: the maps are not three-dimensional or hold no pixel.
    """
    _check_merged(cams)
    cams = cams.float().clamp(min=0)
    return cams / (cams.amax(dim=(1, 2), keepdim=True) + EPSILON)


def _check_merged(cams: Tensor) -> None:
    if cams.dim() != 3 or cams.shape[1] * cams.shape[2] == 0:
        raise ValueError(f"maps must be (m, H, W) with pixels, got {tuple(cams.shape)}")
