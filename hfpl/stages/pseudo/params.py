"""Parameters of stage pseudo."""

from pydantic import Field

from hfpl.sections.crf import Crf
from hfpl.sections.section import Positive, Section


class Pseudo(Section):
    """CRF pseudo-labels at two background powers."""

    alpha_low: Positive = Field(description="background power whose foreground is trusted")
    alpha_high: Positive = Field(description="background power whose background is trusted")
    crf: Crf
