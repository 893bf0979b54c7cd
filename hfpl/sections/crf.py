"""The dense CRF, of pseudo-labels and of the segmentation network's test."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Positive, Section


class CrfGaussian(Section):
    """Smoothness kernel of the dense CRF."""

    sxy: Positive = Field(description="standard deviation in pixels")
    compat: Positive = Field(description="weight of the kernel")


class CrfBilateral(Section):
    """Appearance kernel of the dense CRF."""

    sxy: Positive = Field(description="standard deviation in pixels")
    srgb: Positive = Field(description="standard deviation in grey levels (0 to 255)")
    compat: Positive = Field(description="weight of the kernel")


class Crf(Section):
    """Dense CRF with two pairwise kernels."""

    iterations: Annotated[int, Field(ge=1, le=1000)] = Field(description="of mean-field inference")
    gaussian: CrfGaussian
    bilateral: CrfBilateral
