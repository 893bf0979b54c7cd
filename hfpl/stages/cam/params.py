"""Stage cam: training of the CAM network, the two added losses, and inference."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hfpl.sections.network import Options, StageNetwork, StageWeights
from hfpl.sections.section import (
    Batch,
    Crop,
    Epochs,
    Fraction,
    Interval,
    Name,
    NonNegative,
    Positive,
    Scales,
    Section,
    Seed,
)
from hfpl.sections.training import ColourJitter, Optimiser

Form = Literal["none", "binomial", "multinomial", "expected"]
SUPERVISED = "supervised"
"""In place of a variant's method: the segmentation network learns from the official masks."""


class AddedLosses(Section):
    """Which of the two losses are added to a method."""

    isl: Form = Field(
        title="form of ISL, or none",
        description="form of ISL: the paper's, its predecessor's, or the mean that the paper's "
        "draws estimate",
    )
    fsl: bool = Field(description="whether FSL is added")


class Variant(AddedLosses):
    """One row of the comparison: a CAM method with or without each added loss."""

    method: Name = Field(
        title="a file in hfpl/plugins/methods, or supervised",
        description="name of a file in hfpl/plugins/methods; 'supervised': no CAMs, the "
        "segmentation network learns from the official masks, as a ceiling for the others",
    )
    seed: Seed = Field(description="seed of every training in this variant")

    @model_validator(mode="after")
    def _consistent(self) -> "Variant":
        if self.supervised and (self.isl != "none" or self.fsl):
            raise ValueError(f"'{SUPERVISED}' trains no CAMs that losses could be added to")
        return self

    @property
    def supervised(self) -> bool:
        """Whether it learns from masks; all others learn from tags alone."""
        return self.method == SUPERVISED


class ImportanceSampling(Section):
    """Importance sampling loss (ISL)."""

    weight: Fraction = Field(description="lambda: share of ISL in the classification term")
    samples: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="positions drawn per image and class"
    )
    start: Fraction = Field(
        title="share of the training before ISL counts; 0: the paper's",
        description="share of the training that is done before ISL counts; 0: from the first step "
        "(the paper's)",
    )


class FeatureSimilarity(Section):
    """Feature similarity loss (FSL)."""

    form: Literal["max_norm", "softmax"] = Field(
        title="max_norm (the paper's) or softmax",
        description="what is compared: each class's map scaled to [0, 1] (the paper's), or the "
        "softmax probabilities (its predecessor's, twice the sum)",
    )
    weight: NonNegative = Field(description="of the loss in the total")
    mu: Annotated[float, Field(ge=-100, le=100)] = Field(
        title="shift of the colour gate; larger: fewer colours group",
        description="shift of the colour gate: colours further apart than 1 / (1 + e^mu) of the "
        "range repel, so that a larger mu groups fewer colours together",
    )
    sigma: Positive | None = Field(description="reach in feature pixels; null: the whole map")
    repel: NonNegative = Field(
        title="factor of pairs of colours that repel; 1: the paper's",
        description="factor of the pairs of colours that repel; 1: the paper's, 0: colours only "
        "attract",
    )


class Augmentation(Section):
    """Random resize, flip, colour jitter and crop of the CAM network's training images."""

    crop: Crop = Field(description="side of the crop in pixels")
    resize: Interval = Field(description="range of the long side after resizing, in crops")
    jitter: ColourJitter


class CamInference(Section):
    """Multi-scale inference; every scale is run plain and mirrored."""

    scales: Scales = Field(description="of the image; each is run plain and mirrored")


class Calibration(Section):
    """Power that CAMs are raised to, found on the training images without masks."""

    threshold: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        title="where the threshold that CAMs ask for is moved; null: left as is",
        description="the threshold that the CAMs ask for, by the colours on its two sides, is "
        "moved here by a power; null: CAMs stay as they are (the paper's)",
    )


class Cam(Section):
    """CAM training and inference."""

    methods: dict[Name, Options] = Field(description="keyword arguments of each method's build()")
    network: StageNetwork
    weights: StageWeights
    epochs: Epochs = Field(description="passes over the training images")
    batch: Batch = Field(description="images of a step, of all GPUs together")
    optimiser: Optimiser
    rates: dict[Name, Annotated[float, Field(gt=0, le=1000)]] = Field(
        title="multiples of the learning rate, by method; 1 where there is none",
        description="learning rate of a method, as a multiple of the optimiser's; 1 where there is "
        "none (all of the paper's)",
    )
    augmentation: Augmentation
    isl: ImportanceSampling
    fsl: FeatureSimilarity
    inference: CamInference
    calibration: Calibration
