"""Masks of a folder of photographs: which file is which photograph's."""

import unicodedata
from pathlib import PurePosixPath

from hfpl.plugins.formats.class_names import shown
from hfpl.plugins.formats.interface import Files
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot

FOLDER_MASKS = "masks"
"""Folder of the masks beside the images."""


def folder_masks(root: ImageRoot, manifests: Files) -> tuple[dict[str, str], list[str]]:
    """Masks of a tagged folder: image id → file; and the files that are no image's mask.

    Raises:
        ValueError: an image has two masks.
    """
    images = {i.id for files in manifests.values() for i in read_manifests(files).images}
    found, rest = {}, []
    for name in root.names(FOLDER_MASKS):
        path = PurePosixPath(name)
        image_id = unicodedata.normalize("NFC", path.stem)
        if path.suffix.lower() == ".png" and image_id in images:
            if image_id in found:
                raise ValueError(
                    f"{root.root}/{found[image_id]}: a second mask of the image is {shown(name)}; "
                    "remove one of them"
                )
            found[image_id] = f"{FOLDER_MASKS}/{name}"
        elif not name.startswith("."):
            rest.append(name)
    return found, rest
