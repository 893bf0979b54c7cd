"""What every section of the parameters has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
"""A name that becomes a folder: lower-case letters, digits, ``-`` and ``_``."""

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _ordered(limits: list[float]) -> list[float]:
    if limits[0] > limits[1]:
        raise ValueError("the first value is larger than the second")
    return limits


Interval = Annotated[list[Positive], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
"""Smallest and largest value of a random choice."""


class Section(BaseModel):
    """A section of ``params.yaml``: typed, bounded and documented, without defaults.

    ``params.yaml`` holds every value, so that what a run used can be read in one place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
