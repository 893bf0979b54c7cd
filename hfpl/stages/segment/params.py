"""Stage segment: training and testing of the segmentation network."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.network import StageNetwork, StageWeights
from hfpl.sections.refined import Refined
from hfpl.sections.section import Batch, Crop, Fraction, Interval, Positive, Scales, Section, Width
from hfpl.sections.training import Optimiser


class SegmentHead(Section):
    """DeepLab-v1 head on the backbone's last features."""

    channels: Width = Field(description="width of the head")
    dilation: Annotated[int, Field(ge=1, le=256)] = Field(
        description="of the 3x3 convolution, in cells of the feature map"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="before the classifier, or the join"
    )
    bn_momentum: Fraction = Field(description="of the head's running statistics")
    skip: int = Field(
        ge=0,
        le=8192,
        title="width of a join with finer features; 0: none",
        description="width of the maps that join the backbone's finer map, conv3, to the head, for "
        "contours; 0: none, as published",
    )


class SegmentAugmentation(Section):
    """HSV shift, flip, random scale and crop."""

    crop: Crop = Field(description="side of the crop in pixels")
    scale: Interval = Field(description="range of the random scale")
    hsv: int = Field(ge=0, le=90, description="largest shift in OpenCV's 8-bit HSV")


class Corrections(Section):
    """Masks of training photographs that a person has put right, in the folder ``corrections``."""

    weight: Positive = Field(
        description="weight in the loss of a photograph that a person has put right; of others 1"
    )


class SegmentTest(Refined):
    """Multi-scale mirrored test, followed by a refiner."""

    scales: Scales = Field(description="of the image; each is run plain and mirrored")


class Segment(Section):
    """Segmentation network."""

    network: StageNetwork
    weights: StageWeights
    head: SegmentHead
    iterations: Annotated[int, Field(ge=1, le=100_000_000)] = Field(
        description="steps of the training"
    )
    batch: Batch = Field(description="images of a step, of all GPUs together")
    optimiser: Optimiser
    augmentation: SegmentAugmentation
    corrections: Corrections
    test: SegmentTest
