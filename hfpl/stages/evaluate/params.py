"""Parameters of stage evaluate."""

from pydantic import Field

from hfpl.sections.section import Fraction, Name, Section


class Evaluate(Section):
    """Scores against the ground truth."""

    background_score: dict[Name, Fraction] = Field(
        description="for each method the threshold of its CAMs that is fixed beforehand"
    )
