"""A folder in the layout of PASCAL VOC 2012, with lists of one's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from hfpl.plugins.formats.interface import Files, Format
from hfpl.plugins.formats.subset import SUBSET_READS, Subset
from hfpl.sections.section import FileName, Section, Text


class Lists(Section):
    """Names of the lists in ``ImageSets/Segmentation`` (without ``.txt``)."""

    training: FileName = Field(description="images to train on (VOC: trainaug)")
    train: FileName = Field(description="training images that are scored")
    val: FileName = Field(description="validation images, all scored")


class Settings(Subset):
    """A folder in the layout of PASCAL VOC 2012."""

    format: Literal["voc"] = Field(description="a file or folder in hfpl/plugins/formats")
    root: Text = Field(min_length=1, description="folder that holds JPEGImages, Annotations, …")
    lists: Lists


def build(settings: Settings) -> "VocFormat":
    """Build the format of a folder in VOC's layout."""
    return VocFormat(settings)


class InVocLayout(Format):
    """What all data sets in VOC's layout have in common; subclasses name their lists."""

    parts = {
        "images": ("JPEGImages", "Annotations", "ImageSets/Segmentation", "classes.txt"),
        "masks": ("SegmentationClass", "ImageSets/Segmentation"),
    }

    @property
    def lists(self) -> Mapping[str, str]:
        """List of the images to train on (``training``), and of scored ``train`` and ``val``."""
        raise NotImplementedError

    @property
    def subset(self) -> tuple[Sequence[str] | None, int | None]:
        """Classes to keep and most photographs of each; None for all."""
        return None, None

    def index(self, dataset: str, images: Path, manifests: Files) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.index`."""
        from hfpl.plugins.formats.indexing import write_index
        from hfpl.storage.reading import ImageRoot

        return write_index(dataset, ImageRoot(images), self.lists, manifests, *self.subset)

    def masks(self, images: Path, manifests: Files, masks: Files) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.masks`."""
        from hfpl.plugins.formats.layout import read_classes
        from hfpl.plugins.formats.mask_files import listed_masks, write_mask_manifests
        from hfpl.storage.reading import ImageRoot

        root = ImageRoot(images)
        found = listed_masks(root, self.lists, manifests, part=self.subset != (None, None))
        write_mask_manifests(root, found, manifests, masks, read_classes(root))
        return f"{len(found)} masks indexed"


class PartInVocLayout(InVocLayout):
    """Data sets whose settings are a :class:`hfpl.plugins.formats.subset.Subset`."""

    index_reads = SUBSET_READS
    mask_reads = SUBSET_READS

    @property
    def subset(self) -> tuple[Sequence[str] | None, int | None]:
        """Those of the entry."""
        return self.settings.only, self.settings.limit


class VocFormat(PartInVocLayout):
    """A folder in VOC's layout."""

    index_reads = ("lists.training", "lists.val", *SUBSET_READS)
    mask_reads = ("lists.train", "lists.val", *SUBSET_READS)

    @property
    def lists(self) -> Mapping[str, str]:
        """Those of the entry; of a job, those that it may read."""
        lists = self.settings.lists
        return dict(lists)
