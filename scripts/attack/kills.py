"""Runs of the preset micro that are killed at random moments, and what is left of them."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from hfpl.params.presets import preset_text

ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 25.0


def attack(number: int, seed: int) -> tuple[Counter[str], int]:
    """Kill runs; during which jobs the kills fell, and how many results are lost or other ones.

    The runs go on where they were; what they end with is compared with a run that nobody
    disturbed.
    """
    rng, fell = random.Random(seed), Counter()
    with tempfile.TemporaryDirectory() as folder:
        quiet, disturbed = Path(folder) / "quiet", Path(folder) / "disturbed"
        for place in (quiet, disturbed):
            place.mkdir()
            (place / "params.yaml").write_text(preset_text("micro"), encoding="utf-8")
        _finish(quiet)
        for k in range(number):
            if k and k % 4 == 0:
                _finish(disturbed)  # and once more from the beginning
                lost = _differences(quiet, disturbed)
                if lost:
                    return fell, lost
                subprocess.run(["rm", "-rf", disturbed / "results", disturbed / ".snakemake"])
            fell[_kill(disturbed, rng)] += 1
        _finish(disturbed)
        return fell, _differences(quiet, disturbed)


def _command(folder: Path) -> list[str]:
    snakefile = str(ROOT / "workflow" / "Snakefile")
    return [sys.executable, "-m", "snakemake", "-s", snakefile, "-d", str(folder), "--cores", "2"]


def _start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        _command(folder),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _finish(folder: Path) -> None:
    for _ in range(2):  # A killed run may have left jobs that the first waits for.
        if _start(folder).wait() == 0:
            return
    raise RuntimeError(f"the run in {folder} does not end")


def _kill(folder: Path, rng: random.Random) -> str:
    """Kill a run, or one of its jobs, at a random moment; what was at work."""
    process = _start(folder)
    time.sleep(rng.uniform(1, _LONGEST))
    if process.poll() is not None:
        return "nothing"
    below = psutil.Process(process.pid).children(recursive=True)
    jobs = [p for p in below if any("hfpl" in w for w in _words(p)[1:3])]
    victim = rng.choice(jobs) if jobs and rng.random() < 0.5 else psutil.Process(process.pid)
    during = " ".join(w for w in _words(jobs[0])[1:8] if w.isalpha())[:30] if jobs else "no job"
    victim.send_signal(rng.choice((signal.SIGKILL, signal.SIGTERM)))
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"{during}, and it hung"
    return during


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _differences(quiet: Path, disturbed: Path) -> int:
    one, other = (_digests(folder / "results") for folder in (quiet, disturbed))
    return sum(one[name] != other.get(name) for name in one)


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts
    }
