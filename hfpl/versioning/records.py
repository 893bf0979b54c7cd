"""Which parameters, code and inputs a result was made with, kept beside it.

Snakemake remembers this in ``.snakemake/metadata``, which no version of a result brings along:
after ``dvc checkout`` or ``dvc pull`` its memory speaks of other files, or of none. A record in
every stage's folder travels with the results. Before each run, every result is settled: Snakemake's
own memory of it holds, or the record's is put in its place, or the result counts as made with
unknown parameters, and is made again.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfpl.params.reruns import STAGES
from hfpl.storage.atomic import read_json, write_json

RECORD = "provenance.json"
"""Name of the record in a stage's folder."""
METADATA = Path(".snakemake/metadata")

_COMMON = ("data", "pretrain")
_OF_VARIANT = tuple(stage for stage in STAGES if stage not in _COMMON)
_SEEN = "hfpl-records.json"
_FORMAT_VERSION = 6
_LONGEST_NAME = 255
_SAME_TIME = 1e-3
_TIMES = ("starttime", "endtime", "job_hash")


@dataclass
class Settled:
    """Results that are not those Snakemake remembers: known from a record, or from nowhere."""

    restored: list[Path]
    unknown: list[Path]


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


def settle(results: Path, metadata: Path = METADATA) -> Settled:
    """Make Snakemake's memory fit the results that are there.

    Its memory of a file holds where the file's time of modification is the one it noted, or its
    content one that a later job noted; unless the folder's record is another than last time, or
    other files of the folder came with it: then the record speaks for all files that it knows,
    those included that did not come.
    """
    settled = Settled([], [])
    checksums = _Checksums(metadata)
    seen = _seen(metadata)
    for folder in stage_folders(results):
        record, digest = _read_record(folder)
        files = {path: _read(metadata, path) for path in result_files(folder)}
        moved = [path for path, own in files.items() if not _is_remembered(path, own)]
        came = {path for path in moved if _is_recorded(path, record)}
        if record and (came or seen.get(str(folder)) != digest):
            came |= {path for path in files.keys() - came if _is_recorded(path, record)}
        for path in sorted(came):
            _write(metadata, path, record[path.name]["metadata"])
            settled.restored.append(path)
        if seen.get(str(folder)) != digest:
            # Of results that are kept elsewhere, Snakemake knows by this what they were made with.
            for path in (folder / name for name in record.keys() - {p.name for p in files}):
                _write(metadata, path, record[path.name]["metadata"])
        for path in moved:
            if path in came:
                continue
            if files[path] and f"sha256:{file_sha256(path)}" in checksums.of(path):
                _write(metadata, path, files[path])  # touched, no more
            else:
                _write(metadata, path, {"params": ["unknown"], "input": [], "log": []})
                settled.unknown.append(path)
        seen[str(folder)] = digest
    _keep_seen(metadata, seen)
    return settled


def write_records(folders: Iterable[Path], metadata: Path = METADATA) -> list[Path]:
    """Write the records of stages' folders; those that were written.

    Raises:
        ValueError: Snakemake remembers nothing of a result, or something of another file.
    """
    records, seen = [], _seen(metadata)
    for folder in folders:
        entries = {}
        for path in result_files(folder):
            own = _read(metadata, path)
            if own is None or not _is_remembered(path, own):
                raise ValueError(f"{path}: not made by a run here; run 'snakemake --cores all'")
            kept = {name: value for name, value in own.items() if name not in _TIMES}
            entries[path.name] = {"sha256": file_sha256(path), "metadata": kept}
        if entries:
            write_json(folder / RECORD, entries)
            records.append(folder / RECORD)
            seen[str(folder)] = file_sha256(folder / RECORD)
    _keep_seen(metadata, seen)
    return records


def forget(output: Path, metadata: Path = METADATA) -> None:
    """Remove what Snakemake remembers of a result."""
    _metadata_file(metadata, output).unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_remembered(path: Path, own: dict[str, Any] | None) -> bool:
    """Whether Snakemake's memory is of this very file."""
    return bool(own) and abs(own.get("endtime", 0) - path.stat().st_mtime) < _SAME_TIME


def _is_recorded(path: Path, record: dict[str, Any]) -> bool:
    return path.name in record and record[path.name]["sha256"] == file_sha256(path)


def _read_record(folder: Path) -> tuple[dict[str, Any], str]:
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
    return record, file_sha256(path)


def _seen(metadata: Path) -> dict[str, str]:
    """Stage's folder → digest of the record that was there last time."""
    path = metadata.parent / _SEEN
    return _parsed(path) if path.is_file() else {}


def _keep_seen(metadata: Path, seen: dict[str, str]) -> None:
    if seen != _seen(metadata):
        write_json(metadata.parent / _SEEN, seen)


class _Checksums:
    """Checksums that jobs have noted of their inputs, read when they are first asked for."""

    def __init__(self, metadata: Path) -> None:
        self.metadata = metadata
        self._noted: dict[str, set[str]] | None = None

    def of(self, path: Path) -> set[str]:
        """What jobs have noted of a file."""
        if self._noted is None:
            self._noted = {}
            for file in filter(Path.is_file, self.metadata.rglob("*")):
                for name, checksum in _parsed(file).get("input_checksums", {}).items():
                    self._noted.setdefault(name, set()).add(checksum)
        return self._noted.get(str(path), set())


def _read(metadata: Path, output: Path) -> dict[str, Any] | None:
    path = _metadata_file(metadata, output)
    return (_parsed(path) or None) if path.is_file() else None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}  # written by a process that was killed meanwhile


def _write(metadata: Path, output: Path, content: dict[str, Any]) -> None:
    time = output.stat().st_mtime if output.exists() else 0.0
    times = {"starttime": time, "endtime": time, "incomplete": False}
    version = {"record_format_version": _FORMAT_VERSION}
    write_json(_metadata_file(metadata, output), {**version, **content, **times})


def _metadata_file(metadata: Path, output: Path) -> Path:
    """Snakemake's file about an output, as :mod:`snakemake.persistence.file` names it."""
    name = urlsafe_b64encode(str(output).encode()).decode()
    parts = [name[i : i + _LONGEST_NAME - 1] for i in range(0, len(name), _LONGEST_NAME - 1)]
    return metadata.joinpath(*[f"@{part}" for part in parts[:-1]], parts[-1])
