"""What Snakemake remembers of results, and all that this project does to it.

Snakemake keeps a record of each result in ``.snakemake``. No version of a result brings it along,
and a killed run leaves a lock there. :func:`attach` makes a plan see the records that came with
results (:mod:`hfpl.versioning.records`) without writing a byte; a run writes them down when it
starts, and clears up behind a run that was killed. A test fails where a new Snakemake changes what
this module relies on.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job
from snakemake.logging import logger
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake.settings.types import PersistenceBackend
from snakemake_interface_executor_plugins.settings import ExecMode

from hfpl.jobs.alone import at_work, marks, process_mark
from hfpl.storage.digest import sha256_of
from hfpl.versioning.mended import look_behind_order, stop_from_a_thread
from hfpl.versioning.records import Settled, is_remembered, keep_seen, settle

KNOWN_FORMAT = 6
"""Version of Snakemake's records that this module knows."""
FOLDER = Path(".snakemake")


class Memory:
    """Snakemake's records of results, read and written one by one.

    Args:
        persistence: of a workflow; without, that of the current folder.
    """

    def __init__(self, persistence: Any = None) -> None:
        self._store = persistence or FilePersistence(nolock=True)
        # Taken now, because attach() puts functions of its own in their place.
        self._read, self._write = self._store._read_record, self._store._write_record

    def read(self, path: Path) -> dict[str, Any] | None:
        """What is remembered of a result, None where nothing is."""
        record = self._read(str(path))
        return None if record is None else dict(record.items())

    def write(self, path: Path, content: Mapping[str, Any]) -> None:
        """Remember something else of a result."""
        self._write(str(path), MetadataRecord(**content))
        self._store._clear_cache()

    def forget(self, path: Path) -> None:
        """Remember nothing of a result."""
        self._store._delete_record(str(path))


def as_planned(results: Path) -> Callable[[Path], dict[str, Any] | None]:
    """What a plan takes for remembered of a result: Snakemake's memory, or the record beside it."""
    read = Memory().read
    contents = settle(results, read).contents
    return lambda path: contents.get(path) or read(path)


def attach(workflow: Any, results: Path) -> None:
    """Make a workflow that is being parsed see the records of results, and clear up when it runs.

    Raises:
        WorkflowError: a Snakemake whose records this module does not know.
    """
    if workflow.exec_mode != ExecMode.DEFAULT:
        return  # a job of a run
    if workflow.workflow_settings.persistence_backend != PersistenceBackend.FILE:
        raise WorkflowError(
            "--persistence-backend db: records of results are kept in files alone; leave it out"
        )
    if RECORD_FORMAT_VERSION != KNOWN_FORMAT:
        raise WorkflowError(
            f"this Snakemake keeps records of version {RECORD_FORMAT_VERSION}, known is "
            f"{KNOWN_FORMAT}; install a Snakemake that pyproject.toml allows"
        )
    stop_from_a_thread()
    look_behind_order()
    prepare = workflow._prepare_dag

    def prepared(*arguments: Any, **named: Any) -> None:
        prepare(*arguments, **named)
        _Overlay(workflow.persistence, results).put_on(lambda: workflow.dryrun)

    workflow._prepare_dag = prepared


class _Overlay:
    """What Snakemake's memory would say if it knew the records that came with results."""

    def __init__(self, persistence: Any, results: Path) -> None:
        self.store, self.results = persistence, results
        self.memory = Memory(persistence)
        self.failed: set[str] = set()
        self.delete, self.lock = persistence._delete_record, persistence.lock

    @cached_property
    def settled(self) -> Settled:
        """Taken when it is first asked for, as a plan does and '--unlock' does not."""
        return settle(self.results, self.memory.read)

    def put_on(self, dry: Callable[[], bool]) -> None:
        """Answer in Snakemake's place from now on.

        Args:
            dry: whether nothing may be written.
        """

        def read(key: str) -> MetadataRecord | None:
            found = self.settled.contents.get(Path(key))
            return MetadataRecord(**found) if found else self.memory._read(key)

        def write(key: str, record: MetadataRecord) -> None:
            if key in self.failed:
                return
            self.settled.contents.pop(Path(key), None)
            if Path(key).is_file():
                # Beside those of the inputs, where a later plan finds whatever jobs noted of files.
                own = {key: f"sha256:{sha256_of(Path(key))}"}
                record.input_checksums = {**(record.input_checksums or {}), **own}
            self.memory._write(key, record)

        def delete(key: str) -> bool:
            self.settled.contents.pop(Path(key), None)
            return self.delete(key)

        @contextmanager
        def lock() -> Iterator[None]:
            if dry():
                # The lock of a killed run, which the next one removes, is nobody's.
                with nullcontext() if _was_killed() else self.lock():
                    yield
                return
            with at_work("run"):
                _clear_up()
                with self.lock():
                    self._write_down()
                    self._check_inputs()
                    yield

        self.store._read_record, self.store._write_record = read, write
        self.store._delete_record, self.store.lock = delete, lock
        self._leave_what_failed()

    def _leave_what_failed(self) -> None:
        """Of a job that fails, leave what was remembered of its results before.

        Snakemake removes the results and notes the job's parameters all the same: the next plan
        would take them for made with those, and everything behind them for current.
        """
        postprocess = Job.postprocess

        async def watched(job: Job, *arguments: Any, error: bool = False, **named: Any) -> None:
            self.failed = {str(file) for file in job.output} if error else set()
            try:
                await postprocess(job, *arguments, error=error, **named)
            finally:
                self.failed = set()

        def cleanup(job: Job) -> None:
            for file in job.output:
                self.store._unmark_incomplete(str(file))

        Job.postprocess, self.store.cleanup = watched, cleanup

    def _write_down(self) -> None:
        settled = self.settled
        for path, content in list(settled.contents.items()):
            self.memory.write(path, content)
        keep_seen(settled)
        if settled.restored:
            logger.info(f"{len(settled.restored)} results came with the record of their making.")
        if settled.unknown:
            logger.info(
                f"{len(settled.unknown)} results were not made by a run here and have no record, "
                f"such as {settled.unknown[0]}: they are made again; 'snakemake --touch' would "
                "trust them."
            )

    def _check_inputs(self) -> None:
        """Compare what jobs of this run will read with what was noted when it was made.

        Raises:
            WorkflowError: a file has other content, though its time is that of its making.
        """
        dag = self.store.dag
        made = {str(file) for job in dag.needrun_jobs() for file in job.output}
        read = {str(file) for job in dag.needrun_jobs() for file in job.input} - made
        damaged = [path for path in sorted(read) if self._is_damaged(Path(path))]
        if damaged:
            raise WorkflowError(
                *(
                    f"{path}: its content has changed since it was made, and its time has not: it "
                    "is damaged. Remove it to have it made again"
                    for path in damaged
                )
            )

    def _is_damaged(self, path: Path) -> bool:
        own = self.memory.read(path) if path.is_file() else None
        noted = (own or {}).get("input_checksums") or {}
        if str(path) not in noted or not is_remembered(path, own):
            return False
        return noted[str(path)] != f"sha256:{sha256_of(path)}"


def _was_killed() -> bool:
    """Whether the last run here was killed, and no other is at work."""
    others, killed = marks()
    return bool(killed) and not others


def _clear_up() -> None:
    """Remove the lock of a run that was killed, where no other one is at work.

    Raises:
        WorkflowError: files are being removed.
    """
    others, killed = marks()
    others = [file for file in others if file.name.partition("@")[2] != process_mark(os.getpid())]
    if any(file.name.startswith("clean@") for file in others):
        raise WorkflowError("'hfpl clean' is at work in this folder; wait for its end")
    if killed and not others:
        for lock in (FOLDER / "locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
        logger.info("The last run here was killed: its lock is removed.")
    for file in killed:
        file.unlink(missing_ok=True)
