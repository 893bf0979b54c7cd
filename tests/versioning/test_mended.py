"""What is mended of Snakemake: each mistake is there without, and gone with it."""

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from hfpl.versioning.mended import stop_from_a_thread

SNAKEFILE = """
from pathlib import Path
{mended}
STEP = Path("step").read_text()


rule all:
    input:
        "table",
        "made",


rule list:
    input:
        "photographs",
    output:
        "list",
    shell:
        "cp {{input}} {{output}}"


rule made:
    input:
        "list",
    output:
        "made",
    shell:
        "cp {{input}} {{output}}"


rule train:
    input:
        ancient("list"),
    output:
        "model",
    params:
        STEP,
    shell:
        "echo {{params}} > {{output}}"


rule table:
    input:
        "model",
    output:
        "table",
    shell:
        "cp {{input}} {{output}}"
"""
MENDED = "from hfpl.versioning.mended import look_behind_order\n\nlook_behind_order()"


def test_a_run_that_is_asked_to_end_while_it_holds_its_lock_goes_on_and_ends():
    """What SIGTERM calls runs in the main thread, wherever that is."""
    stop_from_a_thread()
    stop_from_a_thread()
    scheduler = SimpleNamespace(
        _lock=threading.Lock(), _open_jobs=threading.Semaphore(0), _user_kill=None
    )
    with scheduler._lock:
        JobScheduler.exit_gracefully(scheduler, 15, None)
        assert scheduler._user_kill is None
    assert scheduler._open_jobs.acquire(timeout=10)
    assert scheduler._user_kill == "graceful"


@pytest.mark.parametrize("mended", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_job_that_only_waits_for_another_sees_its_own_parameters_change(tmp_path, mended):
    def run() -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "1"]
        done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "table").read_text()

    def write(photographs: str, step: str) -> None:
        (tmp_path / "photographs").write_text(photographs)
        (tmp_path / "step").write_text(step)

    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(mended=MENDED if mended else ""))
    write("one", "first")
    assert run() == "first\n"
    # Another photograph alone trains nothing anew.
    made = (tmp_path / "model").stat().st_mtime_ns
    write("two", "first")
    assert run() == "first\n"
    assert (tmp_path / "model").stat().st_mtime_ns == made
    write("three", "second")
    # Where this fails without mending, Snakemake has mended it: look_behind_order can go.
    assert run() == ("second\n" if mended else "first\n")
    assert Path(tmp_path / "made").read_text() == "three"
