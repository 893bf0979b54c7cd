"""Feature similarity loss (FSL).

Pulls the class activations of positions with alike colours together and those of unlike colours
apart. Source: Jonnarth, Zhang, Felsberg, "High-fidelity Pseudo-labels for Boosting
Weakly-Supervised Segmentation", WACV 2024 [HFPL]; docs/method.md, 1.5.

The weight of a pair of positions carries no gradient and is symmetric, so that the loss is a
quadratic form of the graph Laplacian ``L = diag(deg) - W``: ``<y, L y>`` for the value and
``2 L y`` for the gradient, both from one product ``L y`` (see :mod:`hfpl.losses.laplacian`).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from hfpl.losses.laplacian import laplacian_product
from hfpl.losses.scaling import max_norm


def class_activations(scores: Tensor, labels: Tensor) -> Tensor:
    """Activations y of the loss: background and the classes that are in the image.

    ``y_k = max_norm(scores)_k * labels_k`` for the foreground, background = 1 - max over the
    foreground. Source: docs/method.md, 1.5.

    Shape:
        scores: float (N, K, h, w), foreground logits.
        labels: (N, K), any real or bool dtype, 1 for the classes in the image, else 0.
        returns: (N, K + 1, h, w), background first, values in [0, 1], float32 (float64 for
            float64 scores).

    Raises:
        ValueError: wrong shapes or scores that are not floating point.
    """
    _check_maps("scores", scores)
    if labels.shape != scores.shape[:2]:
        raise ValueError(
            f"labels must be {scores.shape[0]} x {scores.shape[1]} (images x foreground classes), "
            f"got {tuple(labels.shape)}"
        )
    normed = max_norm(scores)
    foreground = normed * labels.to(normed)[:, :, None, None]
    background = 1 - foreground.amax(1, keepdim=True)
    return torch.cat([background, foreground], 1)


def denormalise_image(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Undo ``(image - mean) / std`` per channel.

    Shape:
        image: float (N, 3, H, W), normalised.
        mean, std: three numbers each, for images in [0, 1]; std > 0.
        returns: same shape, float32 (float64 for float64 input), not clamped.

    Raises:
        ValueError: wrong shape, not three channels, or mean or std of another length.
    """
    _check_maps("image", image)
    if image.shape[1] != 3 or len(mean) != 3 or len(std) != 3:
        raise ValueError(
            f"image, mean and std must have 3 channels, got {image.shape[1]}, {len(mean)} and "
            f"{len(std)}"
        )
    image = image.to(torch.promote_types(image.dtype, torch.float32))
    offset, scale = (image.new_tensor(tuple(v)).view(1, 3, 1, 1) for v in (mean, std))
    return image * scale + offset


def feature_image(
    image: Tensor, size: tuple[int, int], mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """The loss's image: de-normalised, resized to the activations' size, clamped to [0, 1].

    Resizing is bilinear with aligned corners. Source: docs/method.md, 1.5.

    Shape:
        image: float (N, 3, H, W), normalised with mean and std.
        size: (h, w) of the activations.
        returns: (N, 3, h, w), float32 (float64 for float64 input), without gradient.

    Raises:
        ValueError: as :func:`denormalise_image`, or a size that is not positive.
    """
    if min(size) < 1:
        raise ValueError(f"size must be positive, got {tuple(size)}")
    with torch.no_grad():
        pixels = denormalise_image(image, mean, std)
        resized = F.interpolate(pixels, tuple(size), mode="bilinear", align_corners=True)
        return resized.clamp_(0, 1)


def feature_similarity_loss(
    image: Tensor,
    activations: Tensor,
    *,
    mu: float = 2.5,
    sigma: float | None = 5.0,
    repel: float = 1.0,
) -> Tensor:
    """Feature similarity loss over all ordered pairs (i, j) of the h * w positions.

    ``-1 / (N h w) * sum g_ij * |y_i - y_j|^2 / 2 * tanh(mu + ln((d + 1e-5) / (1 - d + 1e-5)))``
    with d the mean absolute colour difference of the pair, clamped to [0, 1], and g the Gaussian
    ``exp(-r^2 / (2 sigma^2)) / (2 pi sigma^2)`` of their distance r in feature pixels, or
    1 / (h w) where sigma is None. Source: docs/method.md, equation (8).

    Computed in float32 or wider, also under autocast. Rows further apart than 5.5 sigma are
    left out (less than 1e-6 of the loss). The gradient flows to the activations only, and once.

    Shape:
        image: float (N, 3, h, w), RGB in [0, 1]; values outside are clamped.
        activations: float (N, C, h, w), usually from :func:`class_activations`. Maps that are
            constant, such as those of absent classes, cost nothing on a CPU.
        mu: colour threshold: alike pairs (d < 1 / (1 + e^mu), nearly) attract, others repel.
        sigma: range in feature pixels, > 0, or None.
        repel: factor of the pairs that repel, >= 0: 1 in the paper; with 0, no colour edge is a
            gain, and maps without edges are lowest.
        returns: scalar, float32 (float64 for float64 activations).

    Raises:
        ValueError: wrong shapes, sigma not positive, repel negative, or any of them not finite.
    """
    _check_pair_parameters(mu, sigma, repel)
    _check_maps("image", image)
    _check_maps("activations", activations)
    count, _, height, width = activations.shape
    if image.shape != (count, 3, height, width):
        raise ValueError(
            f"image must be {count} x 3 x {height} x {width} to match the activations, "
            f"got {tuple(image.shape)}"
        )
    dtype = torch.promote_types(activations.dtype, torch.float32)
    # Autocast would turn the products with W into half precision.
    with torch.autocast(activations.device.type, enabled=False):
        colours = image.detach().to(dtype).clamp(0, 1)
        return _LaplacianForm.apply(activations.to(dtype), colours, mu, sigma, repel)


class _LaplacianForm(torch.autograd.Function):
    """``-<y, L y> / (N h w)`` and its gradient ``-2 L y / (N h w)``."""

    @staticmethod
    def forward(
        ctx, activations: Tensor, colours: Tensor, mu: float, sigma: float | None, repel: float
    ):
        maps = activations.flatten(2)
        # L annuls constants: centred maps give the same with a smaller rounding error, and maps
        # that are constant become exact zeros.
        maps = maps - (maps.amin(2, keepdim=True) + maps.amax(2, keepdim=True)) / 2
        product = laplacian_product(maps, colours, mu, sigma, repel)
        scale = -1.0 / (activations.shape[0] * maps.shape[2])
        value = torch.linalg.vecdot(maps.flatten(), product.flatten()) * scale
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(product.mul_(2 * scale).view_as(activations))
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        (gradient,) = ctx.saved_tensors
        return gradient * grad_output, None, None, None, None


def _check_maps(name: str, maps: Tensor) -> None:
    if maps.ndim != 4 or 0 in maps.shape:
        raise ValueError(
            f"{name} must be N x C x h x w without empty dimensions, got {tuple(maps.shape)}"
        )
    if not maps.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {maps.dtype}")


def _check_pair_parameters(mu: float, sigma: float | None, repel: float) -> None:
    if not math.isfinite(mu):
        raise ValueError(f"mu must be finite, got {mu}")
    if sigma is not None and not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive and finite, or None, got {sigma}")
    if not (math.isfinite(repel) and repel >= 0):
        raise ValueError(f"repel must be finite and not negative, got {repel}")
