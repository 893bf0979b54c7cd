"""Stages pseudo, affinity and walk: from CAMs to the labels the segmentation network learns."""

from typing import Annotated

from pydantic import Field

from hfpl.params.network import StageWeights
from hfpl.params.section import Count, Positive, Section
from hfpl.params.training import ColourJitter, Optimiser


class CrfGaussian(Section):
    """Smoothness kernel of the dense CRF."""

    sxy: Positive = Field(description="standard deviation in pixels")
    compat: Positive


class CrfBilateral(Section):
    """Appearance kernel of the dense CRF."""

    sxy: Positive = Field(description="standard deviation in pixels")
    srgb: Positive = Field(description="standard deviation in grey levels (0 to 255)")
    compat: Positive


class Crf(Section):
    """Dense CRF with two pairwise kernels."""

    iterations: Count
    gaussian: CrfGaussian
    bilateral: CrfBilateral


class Pseudo(Section):
    """CRF pseudo-labels at two background powers."""

    alpha_low: Positive = Field(description="background power whose foreground is trusted")
    alpha_high: Positive = Field(description="background power whose background is trusted")
    crf: Crf


class AffinityAugmentation(Section):
    """Colour jitter, crop and flip of the affinity network's training images."""

    crop: int = Field(ge=16, description="side of the crop in pixels")
    jitter: ColourJitter


class Affinity(Section):
    """AffinityNet: which neighbouring cells belong to the same class."""

    weights: StageWeights
    radius: int = Field(ge=2, description="pairs closer than this, in cells of the feature map")
    channels: Annotated[list[Count], Field(min_length=3, max_length=3)] = Field(
        description="widths of f8_3, f8_4 and f8_5"
    )
    epochs: Count
    batch: Count
    optimiser: Optimiser
    augmentation: AffinityAugmentation


class Walk(Section):
    """Random walk over the affinities."""

    background_power: Positive = Field(description="alpha of (1 - max CAM)^alpha")
    beta: Positive = Field(description="elementwise power of the affinities")
    log_steps: int = Field(ge=0, le=12, description="the walk takes 2^log_steps steps")
