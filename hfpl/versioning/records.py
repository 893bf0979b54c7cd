"""Which parameters, code and inputs a result was made with, kept beside it.

Snakemake remembers this in ``.snakemake/metadata``, which no version of a result brings along:
after ``dvc checkout`` or ``dvc pull`` its memory speaks of other files, or of none. A record in
every stage's folder travels with the results. Before each run, every result is settled: Snakemake's
own memory of it holds, or the record's is put in its place, or the result counts as made with
unknown parameters, and is made again.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfpl.pipeline import STAGES
from hfpl.storage.atomic import read_json, write_json
from hfpl.storage.digest import sha256_of

RECORD = "provenance.json"
"""Name of the record in a stage's folder."""
SEEN = Path(".snakemake/hfpl-records.json")
"""Stage's folder → digest of the record that was there when a run last started."""

_COMMON = ("data", "pretrain")
_OF_VARIANT = tuple(stage for stage in STAGES if stage not in _COMMON)
_FORMAT_VERSION = 6
_SAME_TIME = 1e-3
_TIMES = ("starttime", "endtime", "job_hash")


@dataclass
class Settled:
    """What Snakemake should remember of results that are not those it remembers.

    Attributes:
        contents: result → what to remember of it; results of a record also where they are absent.
        restored: results that a record knows.
        unknown: results that are known from nowhere.
        seen: stage's folder → digest of its record.
    """

    contents: dict[Path, dict[str, Any]]
    restored: list[Path]
    unknown: list[Path]
    seen: dict[str, str]


def stage_folders(results: Path) -> Iterator[Path]:
    """Folders of results of all data sets, variants and stages that are there, sorted."""
    for dataset in sorted(p for p in results.glob("*") if p.is_dir()):
        for folder in sorted(p for p in dataset.glob("*") if p.is_dir()):
            if folder.name in _COMMON:
                yield folder
            else:
                yield from (folder / stage for stage in _OF_VARIANT if (folder / stage).is_dir())


def result_files(folder: Path) -> list[Path]:
    """Results in a stage's folder: neither its record, nor checkpoints, nor unfinished files."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.name != RECORD
        and path.suffix != ".checkpoint"
    )


Read = Callable[[Path], dict[str, Any] | None]
"""What Snakemake remembers of a result."""


def settle(results: Path, read: Read) -> Settled:
    """What Snakemake should remember of the results that are there. It writes nothing.

    Its memory of a file holds where the file's time of modification is the one it noted, or its
    content one that a later job noted; unless the folder's record is another than last time, or
    other files of the folder came with it: then the record speaks for all files that it knows,
    those included that did not come.
    """
    before = _seen()
    settled = Settled({}, [], [], dict(before))
    folders = list(stage_folders(results))
    noted = _Checksums(folders, read)
    for folder in folders:
        record, digest = read_record(folder)
        files = {path: read(path) for path in result_files(folder)}
        moved = [path for path, own in files.items() if not is_remembered(path, own)]
        came = {path for path in moved if is_recorded(path, record)}
        if record and (came or before.get(str(folder)) != digest):
            came |= {path for path in files.keys() - came if is_recorded(path, record)}
        for path in sorted(came):
            settled.contents[path] = _timed(path, record[path.name]["metadata"])
            settled.restored.append(path)
        if before.get(str(folder)) != digest:
            # Of results that are kept elsewhere, Snakemake knows by this what they were made with.
            for path in (folder / name for name in record.keys() - {p.name for p in files}):
                settled.contents[path] = _timed(path, record[path.name]["metadata"])
        for path in moved:
            if path in came:
                continue
            own = files[path]
            if own and f"sha256:{sha256_of(path)}" in noted.of(path):
                settled.contents[path] = _timed(path, own)  # touched, no more
            else:
                unknown = {"params": ["unknown"], "input": [], "log": []}
                settled.contents[path] = _timed(path, unknown)
                settled.unknown.append(path)
        settled.seen[str(folder)] = digest
    return settled


def keep_seen(settled: Settled) -> None:
    """Note which records were there, once their contents are remembered."""
    if settled.seen != _seen():
        write_json(SEEN, settled.seen)


def write_records(folders: Iterable[Path], read: Read) -> list[Path]:
    """Write the records of stages' folders; those that were written.

    Raises:
        ValueError: Snakemake remembers nothing of a result, or something of another file.
    """
    records, seen = [], _seen()
    for folder in folders:
        entries = {}
        for path in result_files(folder):
            own = read(path)
            if own is None or not is_remembered(path, own):
                raise ValueError(f"{path}: not made by a run here; run 'snakemake --cores all'")
            kept = {name: value for name, value in own.items() if name not in _TIMES}
            entries[path.name] = {"sha256": sha256_of(path), "metadata": kept}
        if entries:
            write_json(folder / RECORD, entries)
            records.append(folder / RECORD)
            seen[str(folder)] = sha256_of(folder / RECORD)
    if seen != _seen():
        write_json(SEEN, seen)
    return records


def is_remembered(path: Path, own: dict[str, Any] | None) -> bool:
    """Whether Snakemake's memory is of this very file."""
    return bool(own) and abs((own.get("endtime") or 0) - path.stat().st_mtime) < _SAME_TIME


def is_recorded(path: Path, record: dict[str, Any]) -> bool:
    return path.name in record and record[path.name]["sha256"] == sha256_of(path)


def read_record(folder: Path) -> tuple[dict[str, Any], str]:
    """A folder's record and the digest of its file; empty where there is none."""
    path = folder / RECORD
    if not path.is_file():
        return {}, ""
    record = read_json(path)
    known = isinstance(record, dict) and all(
        isinstance(entry, dict) and {"sha256", "metadata"} <= entry.keys()
        for entry in record.values()
    )
    if not known:
        raise ValueError(f"{path}: not a record of results; remove it")
    return record, sha256_of(path)


def _seen() -> dict[str, str]:
    try:
        return json.loads(SEEN.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # not there, or half written when the power went


class _Checksums:
    """Checksums that jobs have noted of their inputs, read when they are first asked for."""

    def __init__(self, folders: Iterable[Path], read: Read) -> None:
        self.folders, self.read = folders, read
        self._noted: dict[str, set[str]] | None = None

    def of(self, path: Path) -> set[str]:
        """What jobs have noted of a file."""
        if self._noted is None:
            self._noted = {}
            for result in (path for folder in self.folders for path in result_files(folder)):
                for name, checksum in (
                    (self.read(result) or {}).get("input_checksums") or {}
                ).items():
                    self._noted.setdefault(name, set()).add(checksum)
        return self._noted.get(str(path), set())


def _timed(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """A memory as one of the file that is there now."""
    time = path.stat().st_mtime if path.exists() else 0.0
    times = {"starttime": time, "endtime": time, "incomplete": False}
    return {"record_format_version": _FORMAT_VERSION, **content, **times}
