"""Runs that are killed at random moments, and the same command again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def start(repository):
    """Start the workflow in a folder, its output into a file there."""
    processes = []

    def run(folder: Path) -> subprocess.Popen:
        command = [
            sys.executable, "-m", "snakemake", "-s", str(repository / "workflow" / "Snakefile"),
            "-d", str(folder), "--cores", "2",
        ]  # fmt: skip
        with (folder / "output.txt").open("a") as output:
            environment = {**os.environ, "PYTHONPATH": str(repository)}
            processes.append(
                subprocess.Popen(
                    command, env=environment, stdout=output, stderr=output, start_new_session=True
                )
            )
        return processes[-1]

    yield run
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_run_that_is_killed_again_and_again_ends_like_any_other(
    micro_run, snakemake, start, write_params, digests, tmp_path, seed
):
    write_params(tmp_path)
    rng = random.Random(seed)
    for _ in range(4):
        process = start(tmp_path)
        seconds = rng.uniform(2, 25)
        time.sleep(seconds)
        print(f"seed {seed}: kill -9 after {seconds:.1f} s")
        process.kill()  # the main process alone: its jobs are left behind
        process.wait()
    assert "cannot be locked" not in snakemake(tmp_path, "-n").stdout
    done = snakemake(tmp_path, "--cores", "2")
    output = (tmp_path / "output.txt").read_text() + done.stdout
    assert done.returncode == 0, output
    assert "its lock is removed" in output
    found, expected = digests(tmp_path / "results"), digests(micro_run / "results")
    # What a killed process was writing stays behind under a hidden name.
    assert all(name.endswith(".part") for name in found.keys() - expected.keys())
    assert {name: found.get(name) for name in expected} == expected


def test_the_lock_of_a_run_at_work_is_respected(
    micro_run, snakemake, start, write_params, tmp_path
):
    write_params(tmp_path)
    start(tmp_path)
    locks = tmp_path / ".snakemake" / "locks"
    for _ in range(200):
        if locks.is_dir() and any(locks.iterdir()):
            break
        time.sleep(0.1)
    second = snakemake(tmp_path, "--cores", "1")
    assert second.returncode == 1
    assert "LockException" in second.stdout
    assert "its lock is removed" not in second.stdout
