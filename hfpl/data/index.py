"""Write the manifests of a data set: what each shard of each split holds."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from hfpl.data import voc
from hfpl.data.records import image_record, mask_record, write_split
from hfpl.images.manifest import Manifest
from hfpl.images.reading import ImageRoot
from hfpl.progress import track

_NAMES = (voc.IMAGES, voc.MASKS, voc.ANNOTATIONS, voc.LISTS, voc.CLASS_FILE)
_NAMES += ("images", "masks", "labels.csv")
"""What a data set consists of, in VOC's layout and in that of a folder with a list of tags."""


def write_index(
    dataset: str,
    root: ImageRoot,
    lists: Mapping[str, str],
    manifests: Mapping[str, list[Path]],
    masks: Mapping[str, list[Path]],
) -> dict[str, int]:
    """Read a VOC-layout data set and write its manifests; returns the images per split.

    Args:
        dataset: name that results carry.
        root: where the images lie.
        lists: list of ``training`` images, of scored ``train`` and of scored ``val`` images.
        manifests, masks: for each split, the files to write, one per shard.

    Raises:
        ValueError: a list, image, mask or annotation is missing or malformed.
    """
    classes = voc.read_classes(root)
    ids = {
        "train": voc.read_list(root, lists["training"]),
        "val": voc.read_list(root, lists["val"]),
    }
    scored = {"train": voc.read_list(root, lists["train"]), "val": ids["val"]}
    _check_splits(root, ids, scored)
    total = sum(map(len, ids.values()))
    with track("data", total, "images") as advance:
        for split in ids:
            images, truths, scored_ids = [], [], set(scored[split])
            for image_id in ids[split]:
                file = f"{voc.IMAGES}/{image_id}.jpg"
                tags = voc.read_tags(root, image_id, classes)
                images.append(image_record(root, image_id, file, tags))
                if image_id in scored_ids:
                    size = (images[-1].height, images[-1].width)
                    file = f"{voc.MASKS}/{image_id}.png"
                    truths.append(mask_record(root, image_id, file, size))
                advance()
            write_split(
                Manifest(dataset, split, classes, tuple(images)),
                truths,
                manifests[split],
                masks[split],
            )
    return {split: len(names) for split, names in ids.items()}


def folder_fingerprint(root: str | Path) -> str:
    """Digest of names, sizes and times of the files of a data set; cheap to take.

    A changed, added or removed file changes it. ``absent`` where there is no such folder, so
    that a dry run works without the data.
    """
    digest = hashlib.sha256()
    root = Path(root)
    if not root.exists():
        return "absent"
    if root.is_file():
        digest.update(f"{root.stat().st_size} {root.stat().st_mtime_ns}".encode())
    for name in _NAMES:
        path = root / name
        files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
        for file in files:
            if file.is_file():
                status = file.stat()
                # Not every file name is valid Unicode.
                digest.update(os.fsencode(f"{name}/{file.name}"))
                digest.update(f" {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _check_splits(root: ImageRoot, ids: dict[str, list[str]], scored: dict[str, list[str]]) -> None:
    shared = sorted(set(ids["train"]) & set(ids["val"]))
    if shared:
        raise ValueError(f"{root.root}: '{shared[0]}' is in the training list and in val")
    outside = sorted(set(scored["train"]) - set(ids["train"]))
    if outside:
        raise ValueError(f"{root.root}: '{outside[0]}' is scored as train but not trained on")
    for split, names in ids.items():
        if not names:
            raise ValueError(f"{root.root}: the list of {split} images is empty")
