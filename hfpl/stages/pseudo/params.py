"""Parameters of stage pseudo."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.refined import Refined
from hfpl.sections.section import Positive


class Pseudo(Refined):
    """Refined pseudo-labels at two background powers."""

    alpha_low: Positive = Field(description="background power whose foreground is trusted")
    alpha_high: Positive = Field(description="background power whose background is trusted")
    scale: Annotated[float, Field(gt=0, le=1)] = Field(
        title="of the image's sides when scores are refined; 1: the paper's",
        description="share of the image's sides that scores are refined at, and enlarged again; "
        "the refiner's lengths are in pixels of the shrunk image; 1: the paper's",
    )
