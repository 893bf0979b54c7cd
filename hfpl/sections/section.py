"""What every section of the parameters has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
"""A name that becomes a folder: lower-case letters, digits, ``-`` and ``_``."""

# Every number has both bounds: what lies far beyond anybody's use is a slip, and is said before
# anything runs.
Positive = Annotated[float, Field(gt=0, le=1e6)]
NonNegative = Annotated[float, Field(ge=0, le=1e6)]
Power = Annotated[float, Field(gt=0, le=1000)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Batch = Annotated[int, Field(ge=1, le=4096)]
Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels of a layer."""
Crop = Annotated[int, Field(ge=16, le=4096)]
"""Side of a square in pixels."""
Scale = Annotated[float, Field(ge=0.05, le=16)]
"""Of an image's sides."""
Scales = Annotated[list[Scale], Field(min_length=1, max_length=16)]
Share = Annotated[float, Field(ge=0, lt=1)]
"""Of something that is never taken whole."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text of a line."""
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]


def _ordered(limits: list[float]) -> list[float]:
    if limits[0] > limits[1]:
        raise ValueError("the first value is larger than the second")
    return limits


Interval = Annotated[list[Scale], Field(min_length=2, max_length=2), AfterValidator(_ordered)]
"""Smallest and largest value of a random choice."""


class Section(BaseModel):
    """A section of ``params.yaml``: typed, bounded and documented, without defaults.

    ``params.yaml`` holds every value, so that what a run used can be read in one place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
