"""Write the manifests of a data set in VOC's layout: what each shard of each split holds."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.kinds import by_stem, other_kinds
from hfpl.plugins.formats.plausible import copies
from hfpl.plugins.formats.records import Wanted, image_records, write_split
from hfpl.plugins.formats.subset import chosen_classes, chosen_images
from hfpl.plugins.formats.summary import summary
from hfpl.storage.manifest import Manifest
from hfpl.storage.reading import ImageRoot

logger = logging.getLogger(__name__)


def write_index(
    dataset: str,
    root: ImageRoot,
    lists: Mapping[str, str],
    manifests: Mapping[str, Sequence[Path]],
    only: Sequence[str] | None = None,
    limit: int | None = None,
) -> str:
    """Read a VOC-layout data set and write its manifests; what was found, in words.

    Args:
        dataset: name that results carry.
        root: where the images lie.
        lists: list of ``training`` images, of scored ``train`` and of scored ``val`` images.
        manifests: for each split, the files to write, one per shard.
        only, limit: as :class:`hfpl.plugins.formats.subset.Subset` has them.

    Raises:
        ValueError: a list, image or annotation is missing or malformed, or a class is unknown.
    """
    classes = voc.read_classes(root)
    kept = chosen_classes(classes, only, f"datasets.{dataset}.only")
    ids = {
        "train": voc.read_list(root, lists["training"]),
        "val": voc.read_list(root, lists["val"]),
    }
    _check_splits(root, ids)
    lying = root.names(voc.IMAGES)
    files = by_stem(lying)
    wholes = {}
    with track("data index", sum(map(len, ids.values())), "images") as advance:
        for split in ids:
            tags = {image_id: voc.read_tags(root, image_id, classes) for image_id in ids[split]}
            whole = only is None and limit is None
            taken = set(tags) if whole else chosen_images(tags.items(), kept, limit)
            for _ in range(len(tags) - len(taken)):
                advance()
            wanted = (
                Wanted(
                    image_id,
                    f"{voc.IMAGES}/{files.get(image_id, f'{image_id}.jpg')}",
                    tuple(kept.index(tag) for tag in of_image),
                )
                for image_id, of_image in tags.items()
                if image_id in taken
            )
            images = image_records(root, wanted, advance)
            names = tuple(classes[k] for k in kept)
            wholes[split] = Manifest(dataset, split, names, tuple(images))
    for split, whole in wholes.items():
        if not whole.images:
            raise ValueError(f"datasets.{dataset}.only: no {split} image has these classes alone")
    for line in copies(wholes):
        logger.warning("data index: warning: %s", line)
    for split, whole in wholes.items():
        write_split(whole, manifests[split])
    return summary(wholes, filter(None, [other_kinds(lying)]))


def _check_splits(root: ImageRoot, ids: Mapping[str, Sequence[str]]) -> None:
    shared = sorted(set(ids["train"]) & set(ids["val"]))
    if shared:
        raise ValueError(f"{root.root}: '{shared[0]}' is in the training list and in val")
    for split, names in ids.items():
        if not names:
            raise ValueError(f"{root.root}: the list of {split} images is empty")
