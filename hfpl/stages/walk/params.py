"""Parameters of stage walk."""

from pydantic import Field

from hfpl.sections.section import Power, Section


class Walk(Section):
    """Random walk over the affinities."""

    background_power: Power = Field(description="alpha of (1 - max CAM)^alpha")
    beta: Power = Field(description="elementwise power of the affinities")
    log_steps: int = Field(ge=0, le=12, description="the walk takes 2^log_steps steps")
