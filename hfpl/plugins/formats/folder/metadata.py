"""``metadata.csv`` and ``metadata.jsonl``, as Hugging Face's imagefolder has them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from hfpl.plugins.formats.class_names import shown
from hfpl.plugins.formats.folder.labels import clean_tags, read_labels, split_of
from hfpl.plugins.formats.folder.listing import SPLIT_WORDS, Listing, Row
from hfpl.storage.reading import ImageRoot

METADATA = ("metadata.csv", "metadata.jsonl")
_FILE, _TAGS = "file_name", ("label", "labels")


def metadata_files(tree: Mapping[str, Sequence[str]]) -> list[str]:
    """Lists in the root, in ``images/``, and in the folders of splits."""
    places = [p for p in tree if p in ("", "images") or p.casefold() in (*SPLIT_WORDS, "test")]
    return [f"{p}/{name}" if p else name for p in places for name in METADATA if name in tree[p]]


def read_metadata(root: ImageRoot, files: Sequence[str]) -> Listing:
    """Rows of all lists; a list in a split's folder is about the photographs there.

    Raises:
        ValueError: a list cannot be read, two lie in one folder, or a row has no photograph.
    """
    rows: list[Row] = []
    notes: list[str] = []
    for file in files:
        place = PurePosixPath(file).parent.as_posix()
        place = "" if place == "." else place
        if place.casefold() == "test":
            notes.append(f"{file} is not used")
            continue
        own = SPLIT_WORDS.get(place.casefold())
        try:
            content = root.read(file)
            if file.endswith(".csv"):
                found, more = read_labels(content, file, paths=True)
                notes += more
                lines = [(f"{file}: line {r.line}", r.file, r.tags, r.split) for r in found]
            else:
                lines = _json_lines(content, file)
        except ValueError as error:
            raise ValueError(f"{root.root}/{error}") from None
        for where, name, tags, split in lines:
            below = f"{place}/{name}" if place else name
            rows.append(Row(f"{root.root}/{where}", below, tags, own or split))
    source = files[0] if len(files) == 1 else "metadata.csv"
    return Listing("Hugging Face's imagefolder", source, rows, "", notes)


def _json_lines(content: bytes, file: str) -> list[tuple[str, str, tuple[str, ...], str | None]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file}: not UTF-8; save it as UTF-8") from None
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}: line {number}"
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(f"{where}: not JSON") from None
        if not isinstance(entry, dict) or not isinstance(entry.get(_FILE), str):
            raise ValueError(f"{where}: expected '{_FILE}' and 'label' or 'labels'")
        split = entry.get("split")
        found.append((where, entry[_FILE], _tags(entry, where), split_of(str(split or ""), where)))
    if not found:
        raise ValueError(f"{file}: no line")
    return found


def _tags(entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
    keys = [key for key in _TAGS if key in entry]
    if len(keys) != 1:
        raise ValueError(f"{where}: expected either 'label' or 'labels'")
    value = entry[keys[0]]
    names = value if isinstance(value, list) else [] if value is None else [value]
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                f"{where}: '{keys[0]}' holds {shown(str(name))}, no name; write names of classes"
            )
    return clean_tags(names, where)
