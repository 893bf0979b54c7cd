"""The backbone that every stage's network stands on, and the weights it starts from."""

from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from hfpl.params.section import Fraction, Name, Positive, Section

Options = dict[str, Any]
"""Keyword arguments of a plug-in's ``build``; its file says which there are and their types."""

AS_NETWORK = "network"
"""A stage's weights are those of the section ``network``."""
WEIGHT_ENDINGS = (".safetensors", ".pth", ".pt", ".params")


def _starts_all(value: str) -> str:
    return value if value in ("pretrain", "none") else _weights_file(value, "'pretrain', 'none'")


def _starts_stage(value: str) -> str:
    return value if value == AS_NETWORK else _weights_file(value, f"'{AS_NETWORK}'")


def _weights_file(value: str, words: str) -> str:
    if PurePath(value).suffix.lower() not in WEIGHT_ENDINGS:
        raise ValueError(f"should be {words} or a file ending in {', '.join(WEIGHT_ENDINGS)}")
    return value


StageWeights = Annotated[
    str,
    AfterValidator(_starts_stage),
    Field(
        description="'network' (its backbone weights), or a file to start from: the stage's whole "
        "network or a backbone"
    ),
]


class Network(Section):
    """Backbone, its options, and where its weights come from."""

    backbone: Name = Field(description="name of a file in hfpl/networks/backbones")
    options: Options = Field(description="keyword arguments of its build()")
    weights: Annotated[str, AfterValidator(_starts_all)] = Field(
        description="'pretrain' (made by the stage pretrain), 'none' (random), or a file: "
        ".safetensors, .pth or .params"
    )


class Pretrain(Section):
    """A stand-in for ImageNet: classify generated pictures of one object each."""

    images: int = Field(ge=1, description="number of generated pictures")
    size: int = Field(ge=32, le=512, description="side of a picture in pixels")
    classes: int = Field(ge=2, le=6, description="number of classes")
    min_extent: Fraction = Field(description="smallest object, as a share of the picture's side")
    max_extent: Positive = Field(description="largest object, as a share of the picture's side")
    texture_amplitude: Fraction = Field(
        description="strength of the body's texture, which a class shares with its partner"
    )
    head_fraction: Fraction = Field(description="glyph radius, as a share of the body's radius")
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    lr: float = Field(gt=0, description="learning rate of AdamW")
    weight_decay: float = Field(ge=0)
    seed: int = Field(ge=0, lt=2**32, description="seed of the pictures and of the training")

    @model_validator(mode="after")
    def _ordered(self) -> "Pretrain":
        if self.min_extent > self.max_extent:
            raise ValueError("min_extent is larger than max_extent")
        return self
