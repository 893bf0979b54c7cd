"""Index a folder of photographs, whatever its layout: its images, tags and splits."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from hfpl.jobs.progress import track
from hfpl.plugins.formats.class_names import check_classes, class_lines, likeness, shown
from hfpl.plugins.formats.folder import Settings
from hfpl.plugins.formats.folder.layouts import read_listing
from hfpl.plugins.formats.folder.listing import (
    Listing,
    Photograph,
    Photographs,
    assign_splits,
    join,
    left_out,
)
from hfpl.plugins.formats.layout import CLASS_FILE
from hfpl.plugins.formats.plausible import copies
from hfpl.plugins.formats.records import Wanted, image_records, write_split
from hfpl.plugins.formats.summary import summary
from hfpl.sections.suggest import suggest
from hfpl.storage.manifest import SPLITS, Manifest
from hfpl.storage.reading import ImageRoot

logger = logging.getLogger(__name__)


def write_folder_index(
    dataset: str,
    root: ImageRoot,
    settings: Settings,
    manifests: Mapping[str, Sequence[Path]],
) -> str:
    """Read what the folder says of its photographs, and these, and write the manifests.

    Every image is decoded whole, so that a damaged one is found here and not hours later.

    Args:
        dataset: name that results carry.
        root: folder, or zip of one.
        manifests: for each split, the files to write, one per shard.

    Returns:
        A line about what was found, and what was left out.

    Raises:
        ValueError: a list or an image is missing or malformed; the message names it.
    """
    listing, photographs, notes = read_photographs(root)
    classes = read_folder_classes(root, listing)
    members = assign_splits(photographs, settings.val_share, f"{root.root}/{listing.source}")
    content = {}
    with track("data index", len(photographs), "images") as advance:
        for split in SPLITS:
            wanted = (
                Wanted(photo.id, photo.file, tuple(sorted(map(classes.index, photo.tags))))
                for photo in sorted(members[split], key=lambda photo: photo.id)
            )
            images = image_records(root, wanted, advance, settings.max_side)
            content[split] = Manifest(dataset, split, classes, tuple(images))
    for line in copies(content):
        logger.warning("data index: warning: %s", line)
    for split, whole in content.items():
        write_split(whole, manifests[split])
    return f"{listing.layout}: {summary(content, notes)}"


def read_photographs(root: ImageRoot) -> tuple[Listing, list[Photograph], list[str]]:
    """What the folder says, its photographs sorted by id, and notes about what was left out.

    Raises:
        ValueError: as :func:`hfpl.plugins.formats.folder.layouts.read_listing` and
            :func:`hfpl.plugins.formats.folder.listing.join`; or there is no photograph.
    """
    tree = root.tree()
    listing = read_listing(root, tree)
    lying = Photographs(tree, listing.folder)
    if not lying.files:
        place = f"{root.root}/{listing.folder}".rstrip("/")
        raise ValueError(f"{place}: no photographs; put them into this folder")
    photographs = join(listing, lying, f"{root.root}")
    return listing, photographs, [*listing.notes, *left_out(photographs, listing, lying)]


def read_folder_classes(root: ImageRoot, listing: Listing) -> tuple[str, ...]:
    """Classes in the order of their labels 1, 2, …: of ``classes.txt``, else of the list, else the
    tags, sorted.

    Raises:
        ValueError: the classes are none, too many, or hard to tell apart; or a tag is none of
            ``classes.txt``.
    """
    used: dict[str, str] = {}
    for row in listing.rows:
        for tag in row.tags:
            used.setdefault(tag, row.where)
    if root.exists(CLASS_FILE):
        classes = class_lines(root.read(CLASS_FILE), f"{root.root}/{CLASS_FILE}")
        for tag, where in used.items():
            if tag not in classes:
                hint = suggest(tag, classes)
                raise ValueError(f"{where}: tag {shown(tag)} is not in classes.txt{hint}")
        return classes
    if listing.classes is not None:
        return tuple(listing.classes)
    alike: dict[str, str] = {}
    for tag, where in used.items():
        other = alike.setdefault(likeness(tag), tag)
        if other != tag:
            place = used[other].rpartition(": ")[2]
            raise ValueError(
                f"{where}: tag {shown(tag)} and tag {shown(other)} of {place} differ in capitals "
                "or width alone; write both alike"
            )
    check_classes(sorted(used), f"{root.root}/{listing.source}")
    return tuple(sorted(used))
