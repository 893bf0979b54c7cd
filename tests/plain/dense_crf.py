"""The dense CRF, called as published."""

import numpy as np
import pydensecrf.densecrf as dcrf
from numpy.typing import NDArray

from hfpl.plugins.refiners.crf import DenseCrf


def plain_scores(
    image: NDArray, cams: NDArray, alphas: tuple[float, ...], refiner: DenseCrf
) -> list[NDArray]:
    """CRF scores of background and classes, with a model for each background power."""
    settings, found = refiner.settings, []
    for alpha in alphas:
        stacked = np.concatenate([(1 - cams.max(0, keepdims=True)) ** alpha, cams])
        model = dcrf.DenseCRF2D(image.shape[1], image.shape[0], len(stacked))
        model.setUnaryEnergy(-np.log(np.clip(stacked, 1e-5, 1)).reshape(len(stacked), -1))
        model.addPairwiseGaussian(sxy=settings.gaussian.sxy, compat=settings.gaussian.compat)
        model.addPairwiseBilateral(
            sxy=settings.bilateral.sxy,
            srgb=settings.bilateral.srgb,
            rgbim=image.copy(),
            compat=settings.bilateral.compat,
        )
        found.append(np.array(model.inference(settings.iterations)).reshape(stacked.shape))
    return found
