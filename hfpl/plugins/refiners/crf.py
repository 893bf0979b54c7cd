"""Dense conditional random field on class scores [CRF]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydensecrf.densecrf as dcrf
from numpy.typing import NDArray
from pydensecrf.utils import unary_from_softmax

from hfpl.plugins.refiners.interface import Refiner, check_scores
from hfpl.sections.crf import Crf, CrfBilateral, CrfGaussian

TITLE = "CRF"


def build(*, iterations: int, gaussian: CrfGaussian, bilateral: CrfBilateral) -> "DenseCrf":
    """Build the CRF; its kernels are sections or plain dictionaries."""
    return DenseCrf(Crf(iterations=iterations, gaussian=gaussian, bilateral=bilateral))


@dataclass(frozen=True)
class DenseCrf(Refiner):
    """Dense CRF (docs/method.md, 3 and 5.2)."""

    settings: Crf

    def refine(
        self, image: NDArray[np.uint8], scores: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """As :meth:`hfpl.plugins.refiners.interface.Refiner.refine`; sums of 1 at every pixel.

        The unary energy is -log of the scores clipped to [1e-5, 1]. The pairwise kernels depend on
        the image alone and are therefore built once for all scores.
        """
        for of_classes in scores:
            check_scores(image, of_classes)
            if len(of_classes) == 0:
                raise ValueError("scores hold no class")
        model = _pairwise_model(image, len(scores[0]), self.settings)
        return [_infer(model, of_classes, self.settings.iterations) for of_classes in scores]


def _pairwise_model(image: NDArray[np.uint8], classes: int, settings: Crf) -> dcrf.DenseCRF2D:
    model = dcrf.DenseCRF2D(image.shape[1], image.shape[0], classes)
    gaussian, bilateral = settings.gaussian, settings.bilateral
    model.addPairwiseGaussian(sxy=gaussian.sxy, compat=gaussian.compat)
    model.addPairwiseBilateral(
        sxy=bilateral.sxy,
        srgb=bilateral.srgb,
        # The binding takes writable, contiguous memory only.
        rgbim=np.array(image, order="C"),
        compat=bilateral.compat,
    )
    return model


def _infer(
    model: dcrf.DenseCRF2D, scores: NDArray[np.float32], iterations: int
) -> NDArray[np.float32]:
    unary = unary_from_softmax(scores.astype(np.float32, copy=False))
    model.setUnaryEnergy(np.ascontiguousarray(unary))
    return np.array(model.inference(iterations), dtype=np.float32).reshape(scores.shape)
