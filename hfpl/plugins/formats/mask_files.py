"""Find the masks that images are scored against, and write the manifests of masks.

Apart from the images' index: a new or changed mask is evaluated, and re-runs no training.
"""

import logging
from collections.abc import Mapping, Sequence

from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.interface import Files
from hfpl.plugins.formats.plausible import MasksLook
from hfpl.plugins.formats.records import DrawnMask, mask_record
from hfpl.storage.manifest import read_manifests, write_masks
from hfpl.storage.reading import ImageRoot

logger = logging.getLogger(__name__)


def listed_masks(
    root: ImageRoot, lists: Mapping[str, str], manifests: Files, part: bool = False
) -> dict[str, str]:
    """Masks of a data set in VOC's layout: image id → file, for the images of its scored lists.

    Args:
        part: whether the manifests hold a part of the data set, others are left out then.

    Raises:
        ValueError: a list is missing, or scores an image that is not in its split.
    """
    found = {}
    for split, files in manifests.items():
        images = {image.id for image in read_manifests(files).images}
        for image_id in voc.read_list(root, lists[split]):
            if image_id not in images and part:
                continue
            if image_id not in images:
                raise ValueError(
                    f"{root.root}: '{image_id}' is scored as {split} but not "
                    + ("trained on" if split == "train" else "in its list")
                )
            found[image_id] = f"{voc.MASKS}/{image_id}.png"
    return found


def write_mask_manifests(
    root: ImageRoot,
    found: Mapping[str, str | DrawnMask],
    manifests: Files,
    masks: Files,
    classes: Sequence[str] | None = None,
    name: str = "data masks",
) -> None:
    """Read the masks of the images and write their manifests, one per shard.

    Args:
        found: image id → file of its mask, or the mask.
        manifests: for each split, the files of its images.
        masks: for each split, the files to write, one for each of these.
        classes: foreground classes in the order of the files' labels; None: the manifests'.
        name: of the job, for its progress and warnings.

    Raises:
        ValueError: a mask is missing, unreadable, of another size than its image, or has a label
            that is no class.
    """
    content = {}
    seen = MasksLook(_classes_of(manifests))
    with track(name, len(found), "masks") as advance:
        for split, files in manifests.items():
            if len(files) != len(masks[split]):
                raise ValueError(
                    f"{split}: {len(files)} manifests and {len(masks[split])} mask manifests"
                )
            for file, out in zip(files, masks[split], strict=True):
                manifest = read_manifests([file])
                own = classes or manifest.classes
                # Where the manifests hold some classes alone, which labels those are in the files.
                labels = tuple(own.index(name) + 1 for name in manifest.classes)
                content[out] = []
                for image in manifest.images:
                    if image.id in found:
                        mask = found[image.id]
                        record, look = mask_record(root, image, mask, len(own) + 1, labels)
                        content[out].append(record)
                        seen.add(split, look)
                        advance()
    for line in seen.warnings(f"{root.root}"):
        logger.warning("%s: warning: %s", name, line)
    for out, records in content.items():
        write_masks(out, records)


def _classes_of(manifests: Files) -> Sequence[str]:
    first = next(file for files in manifests.values() for file in files)
    return read_manifests([first]).classes
