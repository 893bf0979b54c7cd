"""Write the manifests of a data set: what each shard of each split holds."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.stages.data import voc
from hfpl.stages.data.records import image_record, write_split
from hfpl.storage.manifest import Manifest
from hfpl.storage.reading import ImageRoot

_NAMES = {
    "images": (voc.IMAGES, voc.ANNOTATIONS, voc.LISTS, voc.CLASS_FILE, "images", "labels.csv"),
    "masks": (voc.MASKS, voc.LISTS, "masks"),
}
"""What images with their tags, and masks, consist of: in VOC's layout and in a tagged folder's."""


def index_images(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
) -> str:
    """Write the manifests of a data set; what was found, in words."""
    entry, root = settings.chosen.dataset, ImageRoot(images)
    manifests = {"train": train_manifests, "val": val_manifests}
    if entry.format == "folder":
        from hfpl.stages.data.folder import write_folder_index

        return write_folder_index(settings.dataset, root, entry, manifests)
    counts = write_index(settings.dataset, root, lists_of(entry), manifests)
    return ", ".join(f"{count} {split} images" for split, count in counts.items()) + " indexed"


def lists_of(entry: Settings) -> dict[str, str]:
    """Names of the lists of a data set in VOC's layout."""
    from hfpl.stages.data.generate import SHAPES_LISTS

    made = {"shapes": SHAPES_LISTS, **voc.PUBLISHED_LISTS}
    return made.get(entry.format) or entry.lists.as_dict()


def write_index(
    dataset: str,
    root: ImageRoot,
    lists: Mapping[str, str],
    manifests: Mapping[str, Sequence[Path]],
) -> dict[str, int]:
    """Read a VOC-layout data set and write its manifests; returns the images per split.

    Args:
        dataset: name that results carry.
        root: where the images lie.
        lists: list of ``training`` images, of scored ``train`` and of scored ``val`` images.
        manifests: for each split, the files to write, one per shard.

    Raises:
        ValueError: a list, image or annotation is missing or malformed.
    """
    classes = voc.read_classes(root)
    ids = {
        "train": voc.read_list(root, lists["training"]),
        "val": voc.read_list(root, lists["val"]),
    }
    _check_splits(root, ids)
    found = {}
    with track("data index", sum(map(len, ids.values())), "images") as advance:
        for split in ids:
            images = []
            for image_id in ids[split]:
                file = f"{voc.IMAGES}/{image_id}.jpg"
                tags = voc.read_tags(root, image_id, classes)
                images.append(image_record(root, image_id, file, tags))
                advance()
            found[split] = Manifest(dataset, split, classes, tuple(images))
    for split, whole in found.items():
        write_split(whole, manifests[split])
    return {split: len(names) for split, names in ids.items()}


def folder_fingerprint(root: str | Path, part: Literal["images", "masks"]) -> str:
    """Digest of names, sizes and times of the images (with tags and lists) or masks of a data set.

    Cheap to take. A changed, added or removed file changes it, all of a zip both parts. ``absent``
    where there is no such folder, so that a dry run works without the data.
    """
    digest = hashlib.sha256()
    root = Path(root)
    if not root.exists():
        return "absent"
    if root.is_file():
        digest.update(f"{root.stat().st_size} {root.stat().st_mtime_ns}".encode())
    for name in _NAMES[part]:
        for file, status in _files(root / name):
            # Not every file name is valid Unicode.
            digest.update(os.fsencode(f"{name}/{file}"))
            digest.update(f" {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[tuple[str, os.stat_result]]:
    """Names, sorted, and status of the files directly in a folder, or of a file; one call each."""
    if path.is_file():
        return [(path.name, path.stat())]
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        found = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    return sorted(found, key=lambda file: file[0])


def _check_splits(root: ImageRoot, ids: Mapping[str, Sequence[str]]) -> None:
    shared = sorted(set(ids["train"]) & set(ids["val"]))
    if shared:
        raise ValueError(f"{root.root}: '{shared[0]}' is in the training list and in val")
    for split, names in ids.items():
        if not names:
            raise ValueError(f"{root.root}: the list of {split} images is empty")
