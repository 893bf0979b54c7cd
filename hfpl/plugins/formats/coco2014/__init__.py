"""COCO in the split of 2014, from its published archives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from hfpl.plugins.formats.downloaded import DownloadedFormat
from hfpl.plugins.formats.sources import Source, SourceFiles
from hfpl.plugins.formats.subset import Subset


class Sources(SourceFiles):
    """Archives of COCO: the images and masks of 2017, divided as in 2014."""

    train_images: Source
    val_images: Source
    instances_2017: Source = Field(description="annotations that the masks are drawn from")
    instances_2014: Source = Field(description="annotations whose images are the splits")


class Settings(Subset):
    """COCO in the split of 2014, from its published archives."""

    format: Literal["coco2014"] = Field(description="a file or folder in hfpl/plugins/formats")
    sources: Sources


def build(settings: Settings) -> "Coco2014Format":
    """Build the format of COCO in the split of 2014."""
    return Coco2014Format(settings)


class Coco2014Format(DownloadedFormat):
    """COCO; every image of a split is trained on, or scored."""

    published_lists = {"training": "train", "train": "train", "val": "val"}

    def convert(self, archives: Mapping[str, Path], archive: Path) -> dict[str, int]:
        """As :func:`hfpl.plugins.formats.coco2014.convert.convert`."""
        from hfpl.plugins.formats.coco2014.convert import convert

        return convert(archives, archive)
