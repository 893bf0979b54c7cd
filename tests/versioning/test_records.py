"""Records: a result is taken for what it was made with, or for unknown, never for another."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from hfpl.versioning.memory import Memory
from hfpl.versioning.records import RECORD, Settled, keep_seen, result_files, stage_folders
from hfpl.versioning.records import settle as settled_by
from hfpl.versioning.records import write_records as write_records_by


@pytest.fixture
def work(tmp_path: Path, monkeypatch) -> Path:
    """A working directory with a result of a stage, and Snakemake's memory of it."""
    monkeypatch.chdir(tmp_path)
    make("results/pets/seam/walk/val-0.zip", b"first", ["beta 8"])
    return tmp_path


def metadata_file(output: str) -> Path:
    # Snakemake's own naming, so that a change of it is noticed.
    class Names:
        _max_len = 255
        _fetch_max_len = FilePersistence._fetch_max_len

    return Path(FilePersistence._record_path(Names(), ".snakemake/metadata", output))


def make(output: str, content: bytes, params: list[str], inputs: dict[str, str] | None = None):
    """A result as a run leaves it."""
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    time = path.stat().st_mtime
    record = {
        "params": params, "starttime": time - 3, "endtime": time, "job_hash": 1,
        "record_format_version": 6, "input_checksums": inputs or {},
    }  # fmt: skip
    file = metadata_file(output)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record))


def replace(output: str, content: bytes, later: float = 10) -> None:
    """What a checkout of another version does."""
    path = Path(output)
    path.write_bytes(content)
    time = path.stat().st_mtime + later
    os.utime(path, (time, time))


def params_of(output: str) -> list[str]:
    record = json.loads(metadata_file(output).read_text())
    assert abs(record["endtime"] - Path(output).stat().st_mtime) < 1e-3
    return record["params"]


def settle(results: Path) -> Settled:
    """What a run does when it starts: what a plan would see, written down."""
    memory = Memory()
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    settled = settled_by(results, memory.read)
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    for path, content in settled.contents.items():
        memory.write(path, content)
    keep_seen(settled)
    return settled


def write_records(folders: list[Path]) -> None:
    write_records_by(folders, Memory().read)


RESULT = "results/pets/seam/walk/val-0.zip"
FOLDER = Path(RESULT).parent


def test_what_snakemake_remembers_stays(work):
    before = metadata_file(RESULT).read_bytes()
    settled = settle(Path("results"))
    assert (settled.restored, settled.unknown) == ([], [])
    assert metadata_file(RESULT).read_bytes() == before


def test_a_result_of_another_version_is_taken_for_what_its_record_says(work):
    write_records([FOLDER])
    record = (FOLDER / RECORD).read_bytes()
    make(RESULT, b"second", ["beta 4"])
    write_records([FOLDER])
    # Back to the first version, record and all; Snakemake remembers the second.
    replace(RESULT, b"first")
    (FOLDER / RECORD).write_bytes(record)
    assert settle(Path("results")).restored == [Path(RESULT)]
    assert params_of(RESULT) == ["beta 8"]
    assert settle(Path("results")).restored == []


def test_a_result_without_memory_is_known_by_its_record(work):
    write_records([FOLDER])
    metadata_file(RESULT).unlink()
    assert settle(Path("results")).restored == [Path(RESULT)]
    assert params_of(RESULT) == ["beta 8"]


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("record", [True, False])
def test_a_result_of_unknown_origin_is_made_again(work, memory, record):
    if record:
        write_records([FOLDER])
    replace(RESULT, b"from elsewhere")
    if not memory:
        metadata_file(RESULT).unlink()
    assert settle(Path("results")).unknown == [Path(RESULT)]
    assert params_of(RESULT) == ["unknown"]
    assert settle(Path("results")).unknown == []


def test_a_record_that_was_brought_speaks_for_files_of_equal_bytes_too(work):
    other = "results/pets/seam/walk/val-1.zip"
    make(other, b"same", ["beta 8"])
    write_records([FOLDER])
    settle(Path("results"))
    # Another clone has run it with another parameter; one of the files came out equal.
    make(RESULT, b"second", ["beta 4"])
    make(other, b"same", ["beta 4"])
    write_records([FOLDER])
    brought = (FOLDER / RECORD).read_bytes()
    make(RESULT, b"first", ["beta 8"])
    make(other, b"same", ["beta 8"])
    write_records([FOLDER])
    replace(RESULT, b"second")
    (FOLDER / RECORD).write_bytes(brought)
    assert settle(Path("results")).restored == [Path(RESULT), Path(other)]
    assert params_of(other) == ["beta 4"]


def test_a_record_from_before_a_run_does_not_undo_what_the_run_has_noted(work):
    write_records([FOLDER])
    make(RESULT, b"first", ["beta 4"])  # the same bytes from another parameter
    settled = settle(Path("results"))
    assert (settled.restored, settled.unknown) == ([], [])
    assert params_of(RESULT) == ["beta 4"]


def test_a_record_that_was_brought_counts_even_where_no_byte_has_changed(work):
    make(RESULT, b"first", ["beta 4"])
    write_records([FOLDER])
    brought = (FOLDER / RECORD).read_bytes()
    make(RESULT, b"first", ["beta 8"])
    write_records([FOLDER])
    (FOLDER / RECORD).write_bytes(brought)
    assert settle(Path("results")).restored == [Path(RESULT)]
    assert params_of(RESULT) == ["beta 4"]


def test_a_result_that_is_kept_elsewhere_is_known_by_its_record(work):
    other = "results/pets/seam/walk/val-1.zip"
    make(other, b"large", ["beta 8"], {"results/pets/seam/cam/val-1.zip": "sha256:0"})
    write_records([FOLDER])
    # Another clone has pulled the record and the first result.
    shutil.rmtree(".snakemake")
    Path(other).unlink()
    assert settle(Path("results")).restored == [Path(RESULT)]
    known = json.loads(metadata_file(other).read_text())
    assert known["params"] == ["beta 8"]
    assert known["input_checksums"] == {"results/pets/seam/cam/val-1.zip": "sha256:0"}
    # What a run makes of it later is not undone.
    make(other, b"large", ["beta 4"])
    assert settle(Path("results")).restored == []
    assert params_of(other) == ["beta 4"]


def test_a_touched_result_that_a_job_has_read_stays_what_it_was(work):
    checksum = f"sha256:{hashlib.sha256(b'first').hexdigest()}"
    make("results/pets/seam/evaluate/walk.json", b"{}", ["none"], {RESULT: checksum})
    replace(RESULT, b"first")
    settled = settle(Path("results"))
    assert (settled.restored, settled.unknown) == ([], [])
    assert params_of(RESULT) == ["beta 8"]


def test_equal_results_give_equal_records(work):
    write_records([FOLDER])
    first = (FOLDER / RECORD).read_bytes()
    os.utime(RESULT, (5, 5))
    make(RESULT, b"first", ["beta 8"])
    write_records([FOLDER])
    assert (FOLDER / RECORD).read_bytes() == first


def test_no_record_is_written_of_a_result_that_no_run_here_has_made(work):
    replace(RESULT, b"from elsewhere")
    with pytest.raises(ValueError, match=r"val-0\.zip: not made by a run here"):
        write_records([FOLDER])
    assert not (FOLDER / RECORD).exists()


def test_long_paths_are_remembered_as_snakemake_does(work):
    output = f"results/pets/{'v' * 120}/walk/{'n' * 120}.zip"
    make(output, b"first", ["beta 8"])
    write_records([Path(output).parent])
    metadata_file(output).unlink()
    assert settle(Path("results")).restored == [Path(output)]
    assert params_of(output) == ["beta 8"]


def test_what_counts_as_a_result(work):
    for name in ("model.checkpoint", ".val-1.zip.ab.part", RECORD, "val-1.zip"):
        (FOLDER / name).write_bytes(b"")
    (FOLDER / "logs").mkdir()
    assert [p.name for p in result_files(FOLDER)] == ["val-0.zip", "val-1.zip"]
    for folder in ("results/pets/data", "results/pets/seam/other", "results/pets/data/walk"):
        Path(folder).mkdir()
    Path("results/report.html").write_text("")
    assert list(stage_folders(Path("results"))) == [Path("results/pets/data"), FOLDER]


def test_a_broken_record_is_named(work):
    (FOLDER / RECORD).write_text('{"val-0.zip": 3}')
    with pytest.raises(ValueError, match=r"walk/provenance\.json: not a record"):
        settle(Path("results"))
