"""Parameters of stage affinity."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.network import StageNetwork, StageWeights
from hfpl.sections.section import Batch, Crop, Epochs, Section, Width
from hfpl.sections.training import ColourJitter, Optimiser


class AffinityAugmentation(Section):
    """Colour jitter, crop and flip of the affinity network's training images."""

    crop: Crop = Field(description="side of the crop in pixels")
    jitter: ColourJitter


class Affinity(Section):
    """AffinityNet: which neighbouring cells belong to the same class."""

    network: StageNetwork
    weights: StageWeights
    radius: int = Field(
        ge=2, le=32, description="pairs closer than this, in cells of the feature map"
    )
    channels: Annotated[list[Width], Field(min_length=3, max_length=3)] = Field(
        description="widths of f8_3, f8_4 and f8_5"
    )
    epochs: Epochs = Field(description="passes over the training images")
    batch: Batch = Field(description="images of a step, of all GPUs together")
    optimiser: Optimiser
    augmentation: AffinityAugmentation
