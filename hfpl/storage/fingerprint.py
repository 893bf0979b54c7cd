"""What files lie below a folder, as one digest that changes with their names and contents."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hfpl.storage.atomic import write_json
from hfpl.storage.digest import sha256_of

ABSENT = "absent"
"""Fingerprint of a folder that is not there, so that a plan needs no data."""
SEEN = Path(".snakemake/hfpl-fingerprints.json")
"""How folders looked (names, sizes and times of their files) → what was found of them."""

_MOST = 100
_SETTLED = 1.0
"""Seconds after which a further change of a file is sure to change its time."""
Contents = Mapping[str, str]
"""File below a folder → SHA-256 of its content."""


def fingerprint(
    root: Path,
    names: Sequence[str],
    seen: Path = SEEN,
    counts: Callable[[str], bool] = lambda name: True,
) -> str:
    """Digest of the files of some folders, subfolders included, 16 hexadecimal digits.

    A copy elsewhere has the same fingerprint; :data:`ABSENT` where there is none. Other arguments
    are as of :func:`remembered`.
    """
    return ABSENT if not root.exists() else remembered(root, names, _joined, "", seen, counts)


def remembered(
    root: Path,
    names: Sequence[str],
    find: Callable[[Contents], Any],
    what: str,
    seen: Path = SEEN,
    counts: Callable[[str], bool] = lambda name: True,
) -> Any:
    """What is found of the contents of the files of some folders, subfolders included.

    Files are read, and it is found anew, when the folders look other than before, by names, sizes
    and times of modification.

    Args:
        root: folder, or a zip that stands for all of it.
        names: folders and files below it.
        find: called with the contents; returns what JSON can hold.
        what: tells apart what is found of the same folders.
        seen: file that remembers it, written where it can be.
        counts: whether a file counts, by its path below the folder.
    """
    if root.is_file():
        files = [("", root, root.stat())]
    else:
        files = [file for file in _files(root, names) if counts(file[0])]
    looks = hashlib.sha256(os.fsencode(root.absolute()))
    for name, _, status in files:
        # Not every file name is valid Unicode.
        looks.update(os.fsencode(name))
        looks.update(f" {status.st_size} {status.st_mtime_ns}\n".encode())
    looks.update(what.encode())
    known = _read(seen)
    if looks.hexdigest() not in known:
        known[looks.hexdigest()] = find(_contents(files))
        newest = max((status.st_mtime for _, _, status in files), default=0.0)
        if newest < time.time() - _SETTLED:
            with suppress(OSError):
                write_json(seen, [*known.items()][-_MOST:])
    return known[looks.hexdigest()]


def _contents(files: Sequence[tuple[str, Path, os.stat_result]]) -> dict[str, str]:
    with ThreadPoolExecutor() as threads:
        contents = threads.map(lambda file: _content(file[1], file[2].st_mtime_ns), files)
        return {name: content for (name, _, _), content in zip(files, contents, strict=True)}


def _joined(contents: Contents) -> str:
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(os.fsencode(name) + b"\0" + content.encode())
    return digest.hexdigest()[:16]


@cache
def _content(path: Path, changed: int) -> str:
    """Hash of a file that was changed then; one process reads it once."""
    try:
        return sha256_of(path)
    except OSError:
        return "unreadable"  # The index says so, a plan goes without.


def _files(root: Path, names: Sequence[str]) -> Iterator[tuple[str, Path, os.stat_result]]:
    for name in names:
        for file, path, status in _below(root / name):
            yield f"{name}/{file}", path, status


def _below(path: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    """Files below a folder, sorted by name, with their status, or a file; one call each."""
    if path.is_file():
        yield path.name, path, path.stat()
        return
    if not path.is_dir():
        return
    with os.scandir(path) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_file():
            yield entry.name, Path(entry.path), entry.stat()
        elif entry.is_dir(follow_symlinks=False):
            for name, file, status in _below(Path(entry.path)):
                yield f"{entry.name}/{name}", file, status


def _read(seen: Path) -> dict[str, Any]:
    try:
        return {str(looks): found for looks, found in json.loads(seen.read_text("utf-8"))}
    except (OSError, ValueError, TypeError):
        return {}  # not there, or half written when the power went
