"""A folder of photographs and a list of their tags."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hfpl.plugins.formats.interface import Files, Format
from hfpl.sections.section import Section, Text


class Settings(Section):
    """Photographs in ``images/``, their tags in ``labels.csv``; masks, where there are any, in
    ``masks/``."""

    format: Literal["folder"] = Field(description="a file or folder in hfpl/plugins/formats")
    root: Text = Field(min_length=1, description="folder that holds images and labels.csv")
    max_side: int = Field(
        title="larger photographs are shrunk to this, and their masks",
        ge=32,
        le=4096,
        description="a photograph whose longer side has more pixels is worked on, and its masks "
        "are written, shrunk to this",
    )
    val_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        title="held out where labels.csv has no column split",
        description="share of the photographs held out where labels.csv has no column split; "
        "which ones follows from their names",
    )


def build(settings: Settings) -> "FolderFormat":
    """Build the format of a folder of photographs."""
    return FolderFormat(settings)


class FolderFormat(Format):
    """Photographs of one's own: masks are wanted for every one of them."""

    every_image_tested = True
    index_reads = ("max_side", "val_share")
    parts = {"images": ("images", "labels.csv", "classes.txt"), "masks": ("masks",)}

    def index(self, dataset: str, images: Path, manifests: Files) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.index`."""
        from hfpl.plugins.formats.folder.index import write_folder_index
        from hfpl.storage.reading import ImageRoot

        return write_folder_index(dataset, ImageRoot(images), self.settings, manifests)

    def masks(self, images: Path, manifests: Files, masks: Files) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.masks`."""
        from hfpl.plugins.formats.class_names import counted
        from hfpl.plugins.formats.folder.masks import folder_masks
        from hfpl.plugins.formats.mask_files import write_mask_manifests
        from hfpl.storage.reading import ImageRoot

        root = ImageRoot(images)
        found, rest = folder_masks(root, manifests)
        write_mask_manifests(root, found, manifests, masks)
        note = counted(rest, "files in masks are not <name of an image in the list>.png")
        return f"{len(found)} masks indexed" + (f"; {note}" if rest else "")
