"""Write the manifests of a data set: what each shard of each split holds."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hfpl.data import voc
from hfpl.images.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    shard_of,
    write_manifest,
    write_masks,
)
from hfpl.images.palette import decode_mask
from hfpl.images.reading import UNREADABLE, ImageRoot
from hfpl.progress import track

FOLDERS = (voc.IMAGES, voc.MASKS, voc.ANNOTATIONS, voc.LISTS)


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
                images.append(_image_record(root, image_id, classes))
                if image_id in scored_ids:
                    truths.append(_mask_record(root, image_id, images[-1]))
                advance()
            _write_split(
                Manifest(dataset, split, classes, tuple(images)),
                truths,
                manifests[split],
                masks[split],
            )
    return {split: len(names) for split, names in ids.items()}


def folder_fingerprint(root: str | Path) -> str:
    """Digest of names, sizes and times of the files of a VOC-layout folder; cheap to take.

    A changed, added or removed file changes it. ``absent`` where there is no such folder, so
    that a dry run works without the data.
    """
    digest = hashlib.sha256()
    root = Path(root)
    if not root.exists():
        return "absent"
    if root.is_file():
        digest.update(f"{root.stat().st_size} {root.stat().st_mtime_ns}".encode())
    for name in (*FOLDERS, voc.CLASS_FILE):
        path = Path(root) / name
        files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
        for file in files:
            if file.is_file():
                status = file.stat()
                digest.update(
                    f"{name}/{file.name} {status.st_size} {status.st_mtime_ns}\n".encode()
                )
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


def _image_record(root: ImageRoot, image_id: str, classes: tuple[str, ...]) -> ImageRecord:
    file = f"{voc.IMAGES}/{image_id}.jpg"
    content = root.read(file)
    try:
        height, width = voc.image_size(content)
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable image: {error}") from None
    tags = voc.read_tags(root, image_id, classes)
    return ImageRecord(image_id, file, height, width, tags, hashlib.sha256(content).hexdigest())


def _mask_record(root: ImageRoot, image_id: str, image: ImageRecord) -> MaskRecord:
    file = f"{voc.MASKS}/{image_id}.png"
    content = root.read(file)
    try:
        size = decode_mask(content).shape
    except UNREADABLE as error:
        raise ValueError(f"{root.root}/{file}: not a readable mask: {error}") from None
    if size != (image.height, image.width):
        raise ValueError(
            f"{root.root}/{file}: {size[1]}x{size[0]} pixels, "
            f"its image {image.width}x{image.height}"
        )
    return MaskRecord(image_id, file, hashlib.sha256(content).hexdigest())


def _write_split(
    whole: Manifest, truths: list[MaskRecord], manifests: list[Path], masks: list[Path]
) -> None:
    shards = len(manifests)
    if len(masks) != shards:
        raise ValueError(
            f"{whole.split}: {shards} manifests and {len(masks)} mask manifests to write"
        )
    for k in range(shards):
        images = tuple(i for i in whole.images if shard_of(i.id, shards) == k)
        write_manifest(manifests[k], Manifest(whole.dataset, whole.split, whole.classes, images))
        write_masks(masks[k], [m for m in truths if shard_of(m.id, shards) == k])
