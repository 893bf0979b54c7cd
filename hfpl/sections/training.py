"""What the training stages have in common: optimiser and colour jitter."""

from typing import Annotated, Literal

from pydantic import Field

from hfpl.sections.section import Fraction, NonNegative, Positive, Section


class LearningRateFactors(Section):
    """Learning rate of each parameter group, as a multiple of the optimiser's ``lr``.

    The pre-trained weights have factor 1.
    """

    biases: Positive = Field(description="biases of the pre-trained layers")
    new_weights: Positive = Field(description="weights of the new layers")
    new_biases: Positive = Field(description="biases of the new layers")


class _Optimiser(Section):
    lr: Positive = Field(description="learning rate of the pre-trained weights")
    weight_decay: NonNegative = Field(description="weight decay of weights (biases have none)")
    power: NonNegative = Field(description="power of the polynomial decay, per step")
    factors: LearningRateFactors


class Sgd(_Optimiser):
    """Stochastic gradient descent, the papers' optimiser."""

    name: Literal["sgd"] = Field(description="sgd or adamw")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="the published code's is the weight decay by mistake"
    )


class AdamW(_Optimiser):
    """Adam with decoupled weight decay.

    Small networks from weak weights learn faster with it.
    """

    name: Literal["adamw"] = Field(description="sgd or adamw")


Optimiser = Annotated[Sgd | AdamW, Field(discriminator="name")]


class ColourJitter(Section):
    """Random colour changes in random order; each factor is drawn from 1 ± value."""

    brightness: Fraction = Field(description="factor is drawn from 1 ± this")
    contrast: Fraction = Field(description="factor is drawn from 1 ± this")
    saturation: Fraction = Field(description="factor is drawn from 1 ± this")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="shift, as a share of the circle"
    )
