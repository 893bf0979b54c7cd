"""Parameters of stage evaluate."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Fraction, Name, Section


class Evaluate(Section):
    """Scores against the ground truth."""

    metrics: Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(
        title="files in hfpl/plugins/metrics; miou is needed",
        description="names of files in hfpl/plugins/metrics, in the order of the table's columns; "
        "miou among them, which the curve of the CAMs is of",
    )
    train_shards: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        title="of train, shards whose CAMs are scored and calibrated by; null: all",
        description="shards of train whose CAMs are scored, and whose colours calibrate them; "
        "null: all. A comparison of CAMs needs few, and infers no others",
    )
    background_score: dict[Name, Fraction] = Field(
        title="threshold of a method's CAMs, fixed beforehand",
        description="for each method the threshold of its CAMs that is fixed beforehand",
    )
