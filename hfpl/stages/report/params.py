"""Parameters of stage report."""

from pydantic import Field

from hfpl.sections.section import Count, Section


class Report(Section):
    """Pictures of the report."""

    images: Count = Field(description="images per split on a contact sheet")
