"""Write the manifests of a data set in VOC's layout: what each shard of each split holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.records import image_record, write_split
from hfpl.storage.manifest import Manifest
from hfpl.storage.reading import ImageRoot


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


def _check_splits(root: ImageRoot, ids: Mapping[str, Sequence[str]]) -> None:
    shared = sorted(set(ids["train"]) & set(ids["val"]))
    if shared:
        raise ValueError(f"{root.root}: '{shared[0]}' is in the training list and in val")
    for split, names in ids.items():
        if not names:
            raise ValueError(f"{root.root}: the list of {split} images is empty")
