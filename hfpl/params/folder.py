"""Parameters of a data set that is a folder of photographs and a list of their tags."""

from typing import Annotated, Literal

from pydantic import Field

from hfpl.sections.section import Section


class FolderDataset(Section):
    """Photographs in ``images/``, their tags in ``labels.csv``; masks, where there are any, in
    ``masks/``."""

    format: Literal["folder"]
    root: str = Field(min_length=1, description="folder that holds images and labels.csv")
    max_side: int = Field(
        ge=32,
        le=4096,
        description="a photograph whose longer side has more pixels is worked on, and its masks "
        "are written, shrunk to this",
    )
    val_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="share of the photographs held out where labels.csv has no column split; "
        "which ones follows from their names"
    )
