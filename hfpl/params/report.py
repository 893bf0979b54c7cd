"""Stages evaluate and report."""

from pydantic import Field

from hfpl.params.section import Count, Fraction, Name, Section


class Evaluate(Section):
    """Scores against the ground truth."""

    background_score: dict[Name, Fraction] = Field(
        description="for each method the threshold of its CAMs that is fixed beforehand"
    )


class Report(Section):
    """Pictures of the report."""

    images: Count = Field(description="images per split on a contact sheet")
