"""Dense conditional random field on class scores [Krähenbühl, Koltun 2011], and the confident
foreground and background scores it gives from class activation maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydensecrf.densecrf as dcrf
from numpy.typing import NDArray
from pydensecrf.utils import unary_from_softmax

from hfpl.sections.crf import Crf


@dataclass(frozen=True)
class CrfSettings:
    """Mean-field steps and the two pairwise kernels of a dense CRF.

    Attributes:
        iterations: mean-field steps, 0 or more.
        gaussian_sxy: standard deviation of the smoothness kernel in pixels.
        gaussian_compat: its Potts weight.
        bilateral_sxy: standard deviation of the appearance kernel in pixels.
        bilateral_srgb: its standard deviation in grey levels (0 to 255).
        bilateral_compat: its Potts weight.

    Raises:
        ValueError: negative iterations, or a standard deviation that is not positive.
    """

    iterations: int
    gaussian_sxy: float
    gaussian_compat: float
    bilateral_sxy: float
    bilateral_srgb: float
    bilateral_compat: float

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ValueError(f"iterations must not be negative, got {self.iterations}")
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


def dense_crf(
    image: NDArray[np.uint8], probabilities: NDArray[np.float32], settings: CrfSettings
) -> NDArray[np.float32]:
    """Refine class probabilities with a dense CRF (method notes, test of the segmentation
    network).

    The unary energy is -log of the probabilities clipped to [1e-5, 1].

    Args:
        image: (h, w, 3) uint8 RGB.
        probabilities: (C, h, w) non-negative scores; they need not sum to 1.
        settings: steps and kernels.

    Returns:
        (C, h, w) float32, summing to 1 over C at every pixel.

    Raises:
        ValueError: wrong shapes or dtype, or scores that are not finite.
    """
    _check(image, probabilities, "probabilities")
    if len(probabilities) == 0:
        raise ValueError("probabilities hold no class")
    model = _pairwise_model(image, len(probabilities), settings)
    return _infer(model, probabilities, settings.iterations)


def pseudo_label_scores(
    image: NDArray[np.uint8],
    cams: NDArray[np.float32],
    alphas: Sequence[float],
    settings: CrfSettings,
) -> list[NDArray[np.float32]]:
    """CRF scores of an image's classes, once for each background power (method notes, CRF
    pseudo-labels).

    The scores [(1 - max_k cam_k)^alpha, cam_1 .. cam_m] are refined by the CRF. The pairwise
    kernels depend on the image alone and are therefore built once for all powers.

    Args:
        image: (h, w, 3) uint8 RGB.
        cams: (m, h, w) normalised maps of the classes present, at most 1; m may be 0.
        alphas: background powers; a small one gives confident foreground, a large one confident
            background.
        settings: steps and kernels.

    Returns:
        For each power (m + 1, h, w) float32, background first, summing to 1 at every pixel.
        Without any class these are ones (1, h, w), and no CRF is run.

    Raises:
        ValueError: wrong shapes or dtype, maps not finite or above 1, a power not positive.
    """
    _check(image, cams, "cams")
    for alpha in alphas:
        if not alpha > 0:
            raise ValueError(f"background powers must be positive, got {alpha}")
    if len(cams) == 0:
        return [np.ones((1, *image.shape[:2]), np.float32) for _ in alphas]
    cams = cams.astype(np.float32, copy=False)
    background = 1 - cams.max(axis=0)
    if background.min() < 0:
        raise ValueError(f"cams must be at most 1, got {cams.max()}")
    model = _pairwise_model(image, len(cams) + 1, settings)
    return [
        _infer(model, np.concatenate([background[None] ** alpha, cams]), settings.iterations)
        for alpha in alphas
    ]


def _check(image: NDArray, scores: NDArray, name: str) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must be uint8 (h, w, 3), got {image.dtype} {image.shape}")
    if scores.ndim != 3 or scores.shape[1:] != image.shape[:2]:
        raise ValueError(
            f"{name} must be (n, {image.shape[0]}, {image.shape[1]}), got {scores.shape}"
        )
    # A NaN in the unary spreads over the whole image and can make the inference very slow.
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} hold values that are not finite")


def _pairwise_model(
    image: NDArray[np.uint8], classes: int, settings: CrfSettings
) -> dcrf.DenseCRF2D:
    model = dcrf.DenseCRF2D(image.shape[1], image.shape[0], classes)
    model.addPairwiseGaussian(sxy=settings.gaussian_sxy, compat=settings.gaussian_compat)
    model.addPairwiseBilateral(
        sxy=settings.bilateral_sxy,
        srgb=settings.bilateral_srgb,
        # The binding takes writable, contiguous memory only.
        rgbim=np.array(image, order="C"),
        compat=settings.bilateral_compat,
    )
    return model


def _infer(
    model: dcrf.DenseCRF2D, scores: NDArray[np.float32], iterations: int
) -> NDArray[np.float32]:
    unary = unary_from_softmax(scores.astype(np.float32, copy=False))
    model.setUnaryEnergy(np.ascontiguousarray(unary))
    return np.array(model.inference(iterations), dtype=np.float32).reshape(scores.shape)


def crf_settings(section: Crf) -> CrfSettings:
    """Settings from their section of the parameters."""
    return CrfSettings(
        section.iterations,
        section.gaussian.sxy,
        section.gaussian.compat,
        section.bilateral.sxy,
        section.bilateral.srgb,
        section.bilateral.compat,
    )
