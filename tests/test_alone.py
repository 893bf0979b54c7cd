"""Jobs of a killed run: they end, and the next run's wait for them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hfpl.jobs.alone import RUN_VARIABLE, alone, is_running, process_mark

WAITS = "import sys, time; print('ready', flush=True); time.sleep(60)"


def started(code: str, *arguments: object, **environment: str) -> subprocess.Popen:
    """A Python process that has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def other():
    process = started(WAITS)
    yield process
    process.kill()
    process.wait()


def test_a_mark_names_a_process_while_it_runs(other):
    mark = process_mark(other.pid)
    assert is_running(mark)
    assert process_mark(os.getpid()) != mark
    other.kill()
    other.wait()
    assert not is_running(mark)


def test_a_later_process_of_the_same_number_is_another():
    mark = process_mark(os.getpid())
    before, _, start = mark.rpartition(":")
    assert is_running(mark)
    assert start.isdigit()
    assert not is_running(f"{before}:{int(start) - 1}")


def test_a_process_of_another_machine_is_not_looked_for_here(other):
    host, number, start = process_mark(other.pid).split(":")
    other.kill()
    other.wait()
    assert not is_running(f"{host}:{number}:{start}")
    assert is_running(f"not-{host}:{number}:{start}")


def test_a_job_is_told_to_stop_when_its_run_has_ended(other):
    code = (
        "import time; from hfpl.jobs.alone import stop_with_run; stop_with_run(); "
        "print('ready', flush=True); time.sleep(60)"
    )
    job = started(code, **{RUN_VARIABLE: process_mark(other.pid)})
    time.sleep(1.5)
    assert job.poll() is None
    other.kill()
    other.wait()
    _, errors = job.communicate(timeout=20)
    assert job.returncode == -signal.SIGTERM
    assert "has ended: stopping" in errors


def test_a_job_waits_for_another_of_its_log_however_that_ends(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from hfpl.jobs.alone import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('ready', flush=True); time.sleep(60)"
    )
    log = tmp_path / "a.log"
    holder = started(code, log)
    with alone(tmp_path / "another.log"):
        pass  # of another job: no wait
    waiting = subprocess.Popen(
        [sys.executable, "-c", code, log], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert "waiting for a job of an earlier run" in waiting.stderr.readline()
        assert waiting.poll() is None
        holder.kill()
        assert waiting.stdout.readline() == "ready\n"
    finally:
        holder.kill()
        waiting.kill()
        holder.wait()
        waiting.wait()
