"""Find the masks that images are scored against, and write the manifests of masks.

Apart from the images' index: a new or changed mask is evaluated, and re-runs no training.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.stages.data import voc
from hfpl.stages.data.labels import counted, shown
from hfpl.stages.data.records import mask_record
from hfpl.storage.manifest import read_manifests, write_masks
from hfpl.storage.reading import ImageRoot

FOLDER_MASKS = "masks"
"""Folder of the masks beside a tagged folder's images."""

Manifests = Mapping[str, Sequence[Path]]
"""For each split the files of its shards."""


def index_masks(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    train_masks: Sequence[Path],
    val_masks: Sequence[Path],
) -> str:
    """Write the manifests of a data set's masks; what was found, in words."""
    from hfpl.stages.data.index import lists_of

    entry, root = settings.chosen.dataset, ImageRoot(images)
    manifests = {"train": train_manifests, "val": val_manifests}
    rest: list[str] = []
    if entry.format == "folder":
        found, rest = folder_masks(root, manifests)
    else:
        found = listed_masks(root, lists_of(entry), manifests)
    write_mask_manifests(root, found, manifests, {"train": train_masks, "val": val_masks})
    note = counted(rest, "files in masks are not <name of an image in the list>.png")
    return f"{len(found)} masks indexed" + (f"; {note}" if rest else "")


def listed_masks(root: ImageRoot, lists: Mapping[str, str], manifests: Manifests) -> dict[str, str]:
    """Masks of a data set in VOC's layout: image id → file, for the images of its scored lists.

    Raises:
        ValueError: a list is missing, or scores an image that is not in its split.
    """
    found = {}
    for split, files in manifests.items():
        images = {image.id for image in read_manifests(files).images}
        for image_id in voc.read_list(root, lists[split]):
            if image_id not in images:
                raise ValueError(
                    f"{root.root}: '{image_id}' is scored as {split} but not "
                    + ("trained on" if split == "train" else "in its list")
                )
            found[image_id] = f"{voc.MASKS}/{image_id}.png"
    return found


def folder_masks(root: ImageRoot, manifests: Manifests) -> tuple[dict[str, str], list[str]]:
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


def write_mask_manifests(
    root: ImageRoot, found: Mapping[str, str], manifests: Manifests, masks: Manifests
) -> None:
    """Read the masks of the images and write their manifests, one per shard.

    Args:
        found: image id → file of its mask.
        manifests: for each split, the files of its images.
        masks: for each split, the files to write, one for each of these.

    Raises:
        ValueError: a mask is missing, unreadable, of another size than its image, or has a label
            that is no class.
    """
    content = {}
    with track("data masks", len(found), "masks") as advance:
        for split, files in manifests.items():
            if len(files) != len(masks[split]):
                raise ValueError(
                    f"{split}: {len(files)} manifests and {len(masks[split])} mask manifests"
                )
            for file, out in zip(files, masks[split], strict=True):
                manifest = read_manifests([file])
                num_classes = len(manifest.classes) + 1
                content[out] = []
                for image in manifest.images:
                    if image.id in found:
                        record = mask_record(root, image, found[image.id], num_classes)
                        content[out].append(record)
                        advance()
    for out, records in content.items():
        write_masks(out, records)
