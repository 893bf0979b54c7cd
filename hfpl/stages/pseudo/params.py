"""Parameters of stage pseudo."""

from typing import Annotated

from pydantic import Field, model_validator

from hfpl.sections.refined import Refined
from hfpl.sections.section import Power


class Pseudo(Refined):
    """Refined pseudo-labels at two background powers."""

    alpha_low: Power = Field(description="background power whose foreground is trusted")
    alpha_high: Power = Field(description="background power whose background is trusted")
    scale: Annotated[float, Field(gt=0, le=1)] = Field(
        title="of the image's sides when scores are refined; 1: the paper's",
        description="share of the image's sides that scores are refined at, and enlarged again; "
        "the refiner's lengths are in pixels of the shrunk image; 1: the paper's",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Pseudo":
        if self.alpha_low > self.alpha_high:
            raise ValueError("alpha_low is larger than alpha_high")
        return self
