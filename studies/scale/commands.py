"""Commands in a clone of the last commit: their time, their memory, what they print.

Also of the jobs that they run: each notes at its end what the system has counted. Snakemake's own
record knows samples of memory alone, and seconds by the clock, which other work makes longer.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]

_USAGE = "HFPL_BENCHMARK_USAGE"
"""Environment variable with the file that processes note their usage in."""
_SITE = f'''
import atexit, json, os, resource, sys

def note():
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    cpu = sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))
    # The maximum that getrusage knows begins with that of the process this one was forked from.
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    log = sys.argv[sys.argv.index("--log") + 1] if "--log" in sys.argv else ""
    with open(os.environ["{_USAGE}"], "a") as file:
        file.write(json.dumps({{"log": log, "cpu": cpu, "MB": peak / 1024}}) + chr(10))

atexit.register(note)
'''
"""Python runs a module of the name ``sitecustomize`` before anything else."""


@dataclass(frozen=True)
class Done:
    """A command that has ended well.

    Attributes:
        seconds: by the clock.
        cpu: seconds of all its processes on a core.
        megabytes: peak of the largest of its processes.
        text: what it printed.
    """

    seconds: float
    cpu: float
    megabytes: float
    text: str


def run(*command: str) -> Done:
    """Run a command in the working directory; SystemExit with its output where it fails."""
    before = len(_notes())
    began = time.perf_counter()
    with open("output.txt", "w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if status:
        raise SystemExit(f"{' '.join(command)} has failed:\n{text}")
    print(f"{Path.cwd().name}: {' '.join(command)[:60]}: {seconds:.1f} s", file=sys.stderr)
    cpu = usage.ru_utime + usage.ru_stime
    return Done(seconds, cpu, max(note["MB"] for note in _notes()[before:]), text)


@contextlib.contextmanager
def clone(folder: Path) -> Iterator[Path]:
    """A clone of the last commit as the working directory, its commands on the path.

    Removed at the end.
    """
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
    site = folder / "build" / "site"
    site.mkdir(parents=True)
    (site / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    before = dict(os.environ)
    os.environ[_USAGE] = str(folder / "build" / "usage.txt")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{site}"
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        with contextlib.chdir(folder):
            yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


def noted() -> dict[str, dict[str, float]]:
    """Log of each job that has ended in this clone → its CPU seconds and peak memory in MB."""
    return {note["log"]: note for note in _notes() if note["log"]}


def _notes() -> list[dict[str, Any]]:
    path = Path(os.environ[_USAGE])
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]
