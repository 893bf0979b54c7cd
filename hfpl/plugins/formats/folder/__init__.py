"""A folder of photographs and their tags, in any of the layouts that people have."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Literal

from pydantic import Field

from hfpl.plugins.formats.interface import Files, Format, Part
from hfpl.sections.section import Section, Text


class Settings(Section):
    """Photographs, and their tags as a list, as folders or as an annotation file; masks, where
    there are any, in ``masks/``."""

    format: Literal["folder"] = Field(description="a file or folder in hfpl/plugins/formats")
    root: Text = Field(min_length=1, description="folder that holds the photographs and their tags")
    max_side: int = Field(
        title="larger photographs are shrunk to this, and their masks",
        ge=32,
        le=4096,
        description="a photograph whose longer side has more pixels is worked on, and its masks "
        "are written, shrunk to this",
    )
    val_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        title="held out where the list names no splits",
        description="share of the photographs held out where the list of tags names no splits; "
        "about so many, each by its name",
    )


def build(settings: Settings) -> "FolderFormat":
    """Build the format of a folder of photographs."""
    return FolderFormat(settings)


_LISTS = ("labels.csv", "metadata.csv", "metadata.jsonl", "classes.txt")
_ANNOTATIONS = (".json", ".xml")


class FolderFormat(Format):
    """Photographs of one's own: masks are wanted for every one of them."""

    every_image_tested = True
    corrected = True
    index_reads = ("max_side", "val_share")

    def files_of(self, part: Part) -> Sequence[str]:
        """As :meth:`hfpl.plugins.formats.interface.Format.files_of`: photographs and tags may lie
        anywhere but in the folders that have a meaning of their own, and masks in a list too."""
        from hfpl.plugins.formats.folder.listing import CORRECTIONS, MASKS

        with suppress(OSError), os.scandir(self.settings.root) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith("."))
            if part == "corrections":
                return [CORRECTIONS]
            if part == "masks":
                lists = [n for n in names if n.lower().endswith(".json") or n == "annotations"]
                return [MASKS, *lists]
            # In this order, so that rows of the ablation keep the keys that they were made under.
            first = [name for name in ("images", "labels.csv", "classes.txt") if name in names]
            return [*first, *(n for n in names if n not in (MASKS, CORRECTIONS, *first))]
        return ()

    def counts(self, part: Part, file: str) -> bool:
        """As :meth:`hfpl.plugins.formats.interface.Format.counts`: photographs and lists."""
        from hfpl.plugins.formats.kinds import is_photograph

        name = PurePath(file).name
        ending = PurePath(name).suffix.lower()
        return is_photograph(name) or name in _LISTS or ending in _ANNOTATIONS

    def foreseen(self, shards: int) -> Mapping[str, str] | None:
        """As :meth:`hfpl.plugins.formats.interface.Format.foreseen`; a zip is not looked into."""
        from hfpl.plugins.formats.folder.foreseen import foreseen_shards
        from hfpl.storage.fingerprint import remembered

        root = Path(self.settings.root)
        if root.is_file():
            return None
        if not root.is_dir():
            return {}
        return remembered(
            root,
            self.files_of("images"),
            lambda contents: foreseen_shards(root, self.settings, contents, shards),
            f"shards {shards} {self.settings.val_share}",
            counts=partial(self.counts, "images"),
        )

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
        note = counted(rest, "files in masks are not <name of a photograph>.png")
        return f"{len(found)} masks indexed" + (f"; {note}" if rest else "")

    def corrections(self, images: Path, manifests: Files, corrections: Sequence[Path]) -> str:
        """As :meth:`hfpl.plugins.formats.interface.Format.corrections`."""
        from hfpl.plugins.formats.corrections import find_corrections
        from hfpl.plugins.formats.mask_files import write_mask_manifests
        from hfpl.storage.reading import ImageRoot

        root = ImageRoot(images)
        found, notes = find_corrections(root, manifests)
        train = {"train": manifests["train"]}
        write_mask_manifests(root, found, train, {"train": corrections}, name="data corrections")
        return "; ".join([f"{len(found)} corrected masks indexed", *notes])
