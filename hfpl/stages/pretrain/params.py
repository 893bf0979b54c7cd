"""Parameters of stage pretrain."""

from pydantic import Field, model_validator

from hfpl.sections.section import (
    Batch,
    Count,
    Epochs,
    Fraction,
    NonNegative,
    Positive,
    Section,
    Seed,
)


class Pretrain(Section):
    """A stand-in for ImageNet: classify generated pictures of one object each."""

    images: Count = Field(description="number of generated pictures")
    size: int = Field(ge=32, le=512, description="side of a picture in pixels")
    classes: int = Field(ge=2, le=6, description="number of classes")
    min_extent: Fraction = Field(description="smallest object, as a share of the picture's side")
    max_extent: Positive = Field(description="largest object, as a share of the picture's side")
    texture_amplitude: Fraction = Field(
        title="strength of the body's texture",
        description="strength of the body's texture, which a class shares with its partner",
    )
    head_fraction: Fraction = Field(description="glyph radius, as a share of the body's radius")
    epochs: Epochs = Field(description="passes over the pictures")
    batch: Batch = Field(description="pictures of a step")
    lr: Positive = Field(description="learning rate of AdamW")
    weight_decay: NonNegative = Field(description="weight decay of AdamW")
    seed: Seed = Field(description="seed of the pictures and of the training")

    @model_validator(mode="after")
    def _ordered(self) -> "Pretrain":
        if self.min_extent > self.max_extent:
            raise ValueError("min_extent is larger than max_extent")
        return self
