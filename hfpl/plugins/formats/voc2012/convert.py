"""PASCAL VOC 2012 with the augmented training list, from its published archives."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from hfpl.jobs.progress import track
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.members import Members
from hfpl.storage.archive import add_file
from hfpl.storage.atomic import replacing

_DEVKIT = "VOCdevkit/VOC2012"
_AUGMENTED = "SegmentationClassAug"


def convert(archives: Mapping[str, Path], path: str | Path) -> dict[str, int]:
    """Write the images that are trained on or scored into one zip in VOC's layout.

    Images, annotations and the masks of train and val are stored as published, and so are the
    lists of the two. ``trainaug`` is what the augmented masks name, without val.

    Args:
        archives: ``trainval``, the devkit's tar; ``augmented``, SegmentationClassAug.zip.
        path: zip file to write.

    Returns:
        Number of images in each list.

    Raises:
        ValueError: an archive lacks a file, or is damaged.
    """
    with Members(archives["trainval"]) as devkit, Members(archives["augmented"]) as augmented:
        published = {n: devkit.read(f"{_DEVKIT}/{voc.LISTS}/{n}.txt") for n in ("train", "val")}
        lists = {name: _ids(text) for name, text in published.items()}
        lists["trainaug"] = sorted(_masked(augmented) - set(lists["val"]))
        scored = {*lists["train"], *lists["val"]}
        ids = sorted(scored.union(lists["trainaug"]))
        with (
            replacing(path) as temporary,
            zipfile.ZipFile(temporary, "w") as archive,
            track("data convert", len(ids), "images") as advance,
        ):
            for name in sorted(lists):
                text = published.get(name, "\n".join(lists["trainaug"]) + "\n")
                add_file(archive, f"{voc.LISTS}/{name}.txt", text)
            for image_id in ids:
                files = [f"{voc.IMAGES}/{image_id}.jpg", f"{voc.ANNOTATIONS}/{image_id}.xml"]
                if image_id in scored:
                    files.append(f"{voc.MASKS}/{image_id}.png")
                for file in files:
                    add_file(archive, file, devkit.read(f"{_DEVKIT}/{file}"))
                advance()
    return {name: len(names) for name, names in lists.items()}


def _ids(text: bytes) -> list[str]:
    return [
        line.split()[0] for line in text.decode("utf-8", "replace").splitlines() if line.strip()
    ]


def _masked(augmented: Members) -> set[str]:
    """Images that have an augmented mask; what a Mac adds to a zip lies in other folders."""
    masks = (name.split("/") for name in augmented if name.endswith(".png"))
    ids = {parts[1].removesuffix(".png") for parts in masks if parts[:-1] == [_AUGMENTED]}
    if not ids:
        raise ValueError(
            f"{augmented.path}: no masks {_AUGMENTED}/*.png in it; it is not the expected archive"
        )
    return ids
