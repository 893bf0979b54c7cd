"""Which layout a folder has, and what it says: its photographs, tags and splits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from hfpl.plugins.formats.class_names import shown
from hfpl.plugins.formats.folder.class_folders import read_class_folders
from hfpl.plugins.formats.folder.coco import looks_like_coco, read_coco
from hfpl.plugins.formats.folder.cvat import looks_like_cvat, read_cvat
from hfpl.plugins.formats.folder.label_studio import looks_like_label_studio, read_label_studio
from hfpl.plugins.formats.folder.labels import LABEL_FILE, read_labels
from hfpl.plugins.formats.folder.listing import Listing, Row
from hfpl.plugins.formats.folder.metadata import metadata_files, read_metadata
from hfpl.storage.reading import ImageRoot

Tree = Mapping[str, Sequence[str]]

IMAGES = "images"
_LISTS_IN = ("", "annotations")
"""Folders where annotation files may lie."""


def read_listing(root: ImageRoot, tree: Tree) -> Listing:
    """What a folder's list says, or its folders where it has none.

    Raises:
        ValueError: there are lists of several kinds, or none that is known, or one is malformed.
    """
    read = []
    if LABEL_FILE in tree.get("", []):
        read.append((LABEL_FILE, lambda: read_label_file(root)))
    if files := metadata_files(tree):
        read.append((files[0], lambda: read_metadata(root, files)))
    annotated, unknown = read_annotations(root, tree, _LISTS_IN)
    read += [(listing.source, lambda found=listing: found) for listing in annotated]
    if len(read) > 1:
        raise ValueError(
            f"{root.root}: {read[0][0]} and {read[1][0]} both say what the photographs show; keep "
            "one of them"
        )
    if read:
        listing = read[0][1]()
    else:
        if unknown:
            raise ValueError(
                f"{root.root}/{unknown[0]}: neither of COCO, Label Studio nor CVAT, and there is "
                "no other list of tags; see docs/datasets.md"
            )
        listing = read_class_folders(root, tree)
    notes = [f"{shown(file)} is no list that is known, and is not used" for file in unknown]
    return replace(listing, notes=[*listing.notes, *notes])


def read_label_file(root: ImageRoot) -> Listing:
    """Rows of ``labels.csv``, about the photographs in ``images/``.

    Raises:
        ValueError: as :func:`hfpl.plugins.formats.folder.labels.read_labels`.
    """
    try:
        found, notes = read_labels(root.read(LABEL_FILE))
    except ValueError as error:
        message = f"{error}"
        raise ValueError(
            message if message.startswith(f"{root.root}") else f"{root.root}/{message}"
        ) from None
    where = f"{root.root}/{LABEL_FILE}: line"
    rows = [Row(f"{where} {row.line}", row.file, row.tags, row.split) for row in found]
    return Listing(LABEL_FILE, LABEL_FILE, rows, IMAGES, notes)


def read_annotations(
    root: ImageRoot, tree: Tree, places: Sequence[str]
) -> tuple[list[Listing], list[str]]:
    """What annotation files say, of each kind, and files that are of none.

    Args:
        places: folders that they may lie in.

    Raises:
        ValueError: one is malformed, or two are of a kind that has one file.
    """
    coco: dict[str, Any] = {}
    others: list[Listing] = []
    unknown = []
    files = [f"{p}/{name}" if p else name for p in places for name in tree.get(p, [])]
    for file in files:
        ending = PurePosixPath(file).suffix.lower()
        if ending == ".json":
            content = _parsed(root, file)
            if looks_like_coco(content):
                coco[file] = content
            elif looks_like_label_studio(content):
                others.append(read_label_studio(f"{root.root}", file, content))
            else:
                unknown.append(file)
        elif ending == ".xml":
            text = root.read(file)
            if looks_like_cvat(text):
                others.append(read_cvat(f"{root.root}", file, text))
            else:
                unknown.append(file)
    return ([read_coco(f"{root.root}", coco)] if coco else []) + others, unknown


def _parsed(root: ImageRoot, file: str) -> Any:
    try:
        return json.loads(root.read(file))
    except (UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{root.root}/{file}: not JSON: {error}") from None
