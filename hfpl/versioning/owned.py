"""Which files below a folder of results this project made, by its records."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from hfpl.versioning.records import RECORD, Read, is_recorded, is_remembered, read_record

_PART = re.compile(r"\.([0-9a-f]{8}|.+\.[0-9a-f]+)\.part")
"""What :func:`hfpl.storage.atomic.replacing` calls a file while it is being written."""


def files_below(folder: Path) -> Iterator[Path]:
    """Files below a folder, sorted; links count as files, and none is followed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from files_below(path)
        else:
            yield path


def owned_files(stage_folder: Path, read: Read) -> set[Path]:
    """Files of a stage's folder that a run here made, or that came with a record of their making.

    Results as they were made, with their logs and benchmarks; the record itself; checkpoints; and
    what a killed process left half written, where the folder has a record of anything.
    """
    record = _record_of(stage_folder)
    files = list(files_below(stage_folder))
    memories = {path: read(path) for path in files}
    found = {
        path
        for path, own in memories.items()
        if path.exists() and (is_remembered(path, own) or is_recorded(path, record))
    }
    logs = {Path(log) for path in found for log in (memories[path] or {}).get("log") or []}
    logs |= {log.with_suffix(".tsv") for log in logs}
    if not found and not record:
        return {path for path in files if _is_checkpoint(path)}
    for path in files:
        written = path.parent == stage_folder and _PART.fullmatch(path.name)
        if path in logs or written or _is_checkpoint(path) or path == stage_folder / RECORD:
            found.add(path)
    return found


def _record_of(stage_folder: Path) -> dict:
    try:
        return read_record(stage_folder)[0]
    except ValueError:
        return {}  # a file of somebody else's


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is a training's checkpoint, by its content."""
    if path.suffix != ".checkpoint" or path.is_symlink():
        return False
    try:
        with safe_open(str(path), framework="np") as file:
            text = json.loads((file.metadata() or {}).get("metadata", "{}"))
    except (OSError, SafetensorError, ValueError):
        return False
    return isinstance(text, dict) and {"digest", "progress"} <= text.keys()
