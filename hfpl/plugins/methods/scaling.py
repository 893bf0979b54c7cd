"""Scale the maps that were merged over an image's views (docs/method.md, 2)."""

from torch import Tensor

# The value below which a normalised activation counts as none; also keeps divisions finite.
EPSILON = 1e-5


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
