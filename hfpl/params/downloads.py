"""Data sets that are downloaded: where their archives come from and how they are checked."""

from typing import Annotated, Literal

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
        description="checksum of the file; null: none is published, any content is taken"
    )
    size: Count = Field(description="bytes, about: shown before the download, not checked")


class Voc2012Sources(Section):
    """Archives of PASCAL VOC 2012."""

    trainval: Source = Field(description="images, annotations, masks and lists of the devkit")
    augmented: Source = Field(description="masks of SBD; their names give the list trainaug")


class Voc2012Dataset(Section):
    """PASCAL VOC 2012 with the augmented training list, from its published archives."""

    format: Literal["voc2012"]
    sources: Voc2012Sources


class Coco2014Sources(Section):
    """Archives of COCO: the images and masks of 2017, divided as in 2014."""

    train_images: Source
    val_images: Source
    instances_2017: Source = Field(description="annotations that the masks are drawn from")
    instances_2014: Source = Field(description="annotations whose images are the splits")


class Coco2014Dataset(Section):
    """COCO in the split of 2014, from its published archives."""

    format: Literal["coco2014"]
    sources: Coco2014Sources


def sources_of(dataset: Section) -> dict[str, Source]:
    """Sources of a data set by name; empty where nothing is downloaded."""
    table = getattr(dataset, "sources", None)
    return (
        {} if table is None else {name: getattr(table, name) for name in type(table).model_fields}
    )
