"""Merging the class activation maps of several scales and mirrored views (docs/method.md, 2)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


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
