"""PASCAL VOC 2012 with the augmented training list, from its published archives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from hfpl.plugins.formats.downloaded import DownloadedFormat
from hfpl.plugins.formats.sources import Source, SourceFiles
from hfpl.plugins.formats.subset import Subset


class Sources(SourceFiles):
    """Archives of PASCAL VOC 2012."""

    trainval: Source = Field(description="images, annotations, masks and lists of the devkit")
    augmented: Source = Field(description="masks of SBD; their names give the list trainaug")


class Settings(Subset):
    """PASCAL VOC 2012 with the augmented training list, from its published archives."""

    format: Literal["voc2012"] = Field(description="a file or folder in hfpl/plugins/formats")
    sources: Sources


def build(settings: Settings) -> "Voc2012Format":
    """Build the format of VOC 2012 as published."""
    return Voc2012Format(settings)


class Voc2012Format(DownloadedFormat):
    """VOC 2012; trained on is ``trainaug``."""

    published_lists = {"training": "trainaug", "train": "train", "val": "val"}

    def convert(self, archives: Mapping[str, Path], archive: Path) -> dict[str, int]:
        """As :func:`hfpl.plugins.formats.voc2012.convert.convert`."""
        from hfpl.plugins.formats.voc2012.convert import convert

        return convert(archives, archive)
