"""Parameters of stage pseudo."""

from pydantic import Field

from hfpl.sections.refined import Refined
from hfpl.sections.section import Positive


class Pseudo(Refined):
    """Refined pseudo-labels at two background powers."""

    alpha_low: Positive = Field(description="background power whose foreground is trusted")
    alpha_high: Positive = Field(description="background power whose background is trusted")
