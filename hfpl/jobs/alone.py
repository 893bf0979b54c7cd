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

RUN_LOCK = Path(".snakemake/hfpl-running")
"""File that every run of a working directory holds a shared lock of, for as long as it lives."""

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


@contextmanager
def no_run_at_work(lock: Path = RUN_LOCK) -> Iterator[None]:
    """Keep runs out of a working directory while the block removes files.

    Raises:
        ValueError: a run, or a plan, is at work.
    """
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError("a run is at work in this folder; wait for its end") from None
        yield
