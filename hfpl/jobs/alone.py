"""One job writes a result at a time, and none outlives the run that started it.

A killed run leaves its jobs behind. Each notices within seconds and stops as if it were asked to
(a training writes its checkpoint); the same job of the next run waits for that.
"""

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN_VARIABLE = "HFPL_RUN"
"""Environment variable with the mark of the run that a job belongs to."""

MARKS = Path(".snakemake/hfpl-at-work")
"""Folder of marks, each a file named after the process that is at work in the working directory."""

_LOOK_EVERY = 1.0


def process_mark(pid: int) -> str:
    """What tells a process from every other, later ones of its number included: host:pid:start."""
    host = socket.gethostname()
    try:
        # The name, in brackets, may hold anything; the start time is the 20th field after it.
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return f"{host}:{pid}:{stat.rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return f"{host}:{pid}:"


def is_running(mark: str) -> bool:
    """Whether the process of a :func:`process_mark` still runs; of another machine's, always."""
    host, _, process = mark.partition(":")
    number, _, start = process.partition(":")
    if host != socket.gethostname():
        return True  # A job sent to another node is its cluster's to stop.
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return not start or process_mark(int(number)) == mark


def stop_with_run() -> None:
    """Send this process SIGTERM when the run that :data:`RUN_VARIABLE` names has ended."""
    mark = os.environ.get(RUN_VARIABLE)
    if not mark:
        return

    def watch() -> None:
        while is_running(mark):
            time.sleep(_LOOK_EVERY)
        print("the run that started this job has ended: stopping", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="run watch", daemon=True).start()


@contextmanager
def alone(log: Path) -> Iterator[None]:
    """Wait until no other process is inside the block with this log, which each job has of its own.

    The lock goes with its process, however that ends.
    """
    with log.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{log}: waiting for a job of an earlier run", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        yield


def marks() -> tuple[list[Path], list[Path]]:
    """Marks of what is at work in the folder, and of what was killed here. It writes nothing.

    A process of another machine counts as at work: from here nobody can tell.
    """
    files = sorted(MARKS.glob("*")) if MARKS.is_dir() else []
    at_work = [file for file in files if is_running(file.name.partition("@")[2])]
    return at_work, [file for file in files if file not in at_work]


@contextmanager
def at_work(kind: str) -> Iterator[None]:
    """Leave a mark in the folder for as long as the block takes.

    Args:
        kind: of the work, ``run`` or ``clean``.
    """
    MARKS.mkdir(parents=True, exist_ok=True)
    mark = MARKS / f"{kind}@{process_mark(os.getpid())}"
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


@contextmanager
def no_run_at_work() -> Iterator[None]:
    """Keep runs out of the folder while the block removes files.

    Raises:
        ValueError: a run is at work.
    """
    with at_work("clean"):
        if any(file.name.startswith("run@") for file in marks()[0]):
            raise ValueError("a run is at work in this folder; wait for its end")
        yield
