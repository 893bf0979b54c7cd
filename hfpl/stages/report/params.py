"""Parameters of stage report."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Section


class Report(Section):
    """Pictures of the report."""

    images: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="images per split on a contact sheet"
    )
