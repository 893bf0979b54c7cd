"""Archives to download: where they come from and how they are checked."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Count, Section

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
Url = Annotated[str, Field(pattern=r"^(https?|file)://[!-~]+$")]


class Source(Section):
    """An archive to download."""

    file: FileName = Field(description="name below the folder of downloads")
    urls: Annotated[list[Url], Field(min_length=1)] = Field(
        description="mirrors, tried in this order; http, https or file"
    )
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        title="checksum; null: none is published",
        description="checksum of the file; null: none is published, any content is taken",
    )
    size: Count = Field(description="bytes, about: shown before the download, not checked")
