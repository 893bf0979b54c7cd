"""The backbone that every stage's network stands on, and the weights it starts from."""

from typing import Any

from pydantic import Field

from hfpl.params.section import Name, Section

Options = dict[str, Any]
"""Keyword arguments of a plug-in's ``build``; its file says which there are and their types."""


class Network(Section):
    """Backbone, its options, and where its weights come from."""

    backbone: Name = Field(description="name of a file in hfpl/networks/backbones")
    options: Options = Field(description="keyword arguments of its build()")
    weights: str = Field(
        min_length=1,
        description="'pretrain' (made by the stage pretrain), 'none', or a .safetensors file",
    )


class Pretrain(Section):
    """A stand-in for ImageNet: classify generated pictures of one object each."""

    images: int = Field(ge=1, description="number of generated pictures")
    size: int = Field(ge=32, le=512, description="side of a picture in pixels")
    classes: int = Field(ge=2, le=6, description="number of classes")
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    lr: float = Field(gt=0, description="learning rate of AdamW")
    weight_decay: float = Field(ge=0)
    seed: int = Field(ge=0, lt=2**32, description="seed of the pictures and of the training")
