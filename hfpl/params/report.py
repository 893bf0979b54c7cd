"""Stages evaluate and report."""

from pydantic import Field

from hfpl.params.section import Count, Fraction, Section


class Evaluate(Section):
    """Scores against the ground truth."""

    background_score: Fraction = Field(
        description="threshold of the CAMs that is fixed beforehand, not tuned on masks"
    )


class Report(Section):
    """Pictures of the report."""

    images: Count = Field(description="images per split on a contact sheet")
