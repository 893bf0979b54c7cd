"""Archives to download: where they come from and how they are checked."""

from typing import Annotated

from pydantic import Field, model_validator

from hfpl.sections.section import FileName, Section

Url = Annotated[str, Field(pattern=r"^(https?|file)://[!-~]+$")]


class Source(Section):
    """An archive to download."""

    file: FileName = Field(description="name below the folder of downloads")
    urls: Annotated[list[Url], Field(min_length=1, max_length=20)] = Field(
        description="mirrors, tried in this order; http, https or file"
    )
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        title="checksum; null: none is published",
        description="checksum of the file; null: none is published, any content is taken",
    )
    size: Annotated[int, Field(ge=1, le=10**13)] = Field(
        description="bytes, about: shown before the download, not checked"
    )


class SourceFiles(Section):
    """Archives of a data set, each a :class:`Source`."""

    @model_validator(mode="after")
    def _apart(self) -> "SourceFiles":
        files = [getattr(self, name).file for name in type(self).model_fields]
        for file in files:
            if files.count(file) > 1:
                raise ValueError(f"two of the archives have the same file, '{file}'")
        return self
