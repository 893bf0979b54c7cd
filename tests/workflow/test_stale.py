"""Results of older parameters do not pass for those that a job has failed to make."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def finished(micro_run, tmp_path) -> Path:
    """A finished run of its own, with the times of modification."""
    folder = tmp_path / "run"
    shutil.copytree(micro_run, folder, symlinks=True)
    return folder


def test_a_training_that_fails_is_asked_for_again(finished, snakemake, write_params, read_plan):
    write_params(finished, "micro", "segment.batch=25")
    for _ in range(2):
        done = snakemake(finished, "--cores", "2")
        assert done.returncode == 1
        assert "24 training images are fewer than a batch of 25" in done.stdout
        assert "are those of an earlier run still" in done.stdout
    plan = read_plan(snakemake(finished, "-n").stdout)
    assert {"segment_train", "segment_test", "segment_model", "evaluate_table"} <= set(plan)
    write_params(finished)
    plan = snakemake(finished, "-n").stdout
    assert "Nothing to be done" in plan
    assert "segment/network.safetensors" in plan  # which is not there, and nothing needs it


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_that_is_killed_alone_is_asked_for_again(
    finished, repository, snakemake, write_params, read_plan, kill
):
    write_params(finished, "micro", "segment.optimiser.lr=0.002", "segment.iterations=5000")
    command = [sys.executable, "-m", "snakemake", "-s", f"{repository}/workflow/Snakefile"]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    process = subprocess.Popen(
        [*command, "-d", str(finished), "--cores", "2"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.kill(training_below(process.pid), kill)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    for settings in (("segment.optimiser.lr=0.002", "segment.iterations=5000"), ("walk.beta=4",)):
        write_params(finished, "micro", *settings)
        plan = read_plan(snakemake(finished, "-n").stdout)
        assert {"segment_train", "segment_test", "evaluate_table"} <= set(plan)


def training_below(pid: int) -> int:
    """The process of 'hfpl segment train' that a run has started, once it is there."""
    run = psutil.Process(pid)
    for _ in range(600):
        for process in run.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                words = process.cmdline()
                if ("segment", "train") in pairwise(words):
                    return process.pid
        time.sleep(0.2)
    raise AssertionError("no training was started")
