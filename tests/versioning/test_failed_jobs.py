"""A job that fails leaves no trace of its parameters: the next plan asks for it again."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SNAKEFILE = """
from pathlib import Path
from hfpl.versioning.memory import attach

attach(workflow, Path("results"))
STEPS = Path("steps").read_text().splitlines()


rule all:
    input:
        "results/d/v/walk/table.txt",


rule train:
    output:
        "results/d/v/cam/model.txt",
    params:
        step=STEPS[0],
    shell:
        "bash make.sh {params.step:q} {output}"


rule infer:
    input:
        "results/d/v/cam/model.txt",
    output:
        "results/d/v/cam/cams.txt",
    params:
        step=STEPS[1],
    shell:
        "bash make.sh {params.step:q} {output}"


rule score:
    input:
        "results/d/v/cam/cams.txt",
    output:
        "results/d/v/walk/table.txt",
    shell:
        "cp {input} {output}"
"""
SCRIPT = """
case $1 in
    fails) exit 1 ;;
    "fails late") touch $2; exit 1 ;;
    "is killed") kill -9 $$ ;;
    "makes nothing") ;;
    *) echo $1 > $2 ;;
esac
"""
OTHERS = [
    pytest.param(how, marks=pytest.mark.slow)
    for how in ("fails late", "is killed", "makes nothing")
]
FAILURES = ["fails", *OTHERS]
DONE = "Nothing to be done"


class Workflow:
    """Three jobs in a row, the first two with a parameter each."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(repository)}

    def write(self) -> None:
        (self.folder / "Snakefile").write_text(SNAKEFILE)
        (self.folder / "make.sh").write_text(SCRIPT)

    def file(self, name: str) -> Path:
        return self.folder / "results/d/v" / name

    def set(self, *steps: str) -> None:
        (self.folder / "steps").write_text("\n".join(steps))

    def run(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--latency-wait", "0"]
        done = subprocess.run(
            [*command, *arguments], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory, repository) -> Path:
    made = Workflow(tmp_path_factory.mktemp("finished"), repository)
    made.write()
    made.set("one", "one")
    status, output = made.run()
    assert status == 0, output
    return made.folder


@pytest.fixture
def workflow(tmp_path, finished, repository) -> Workflow:
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)  # with the times of modification
    return Workflow(folder, repository)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("failure", FAILURES)
def test_what_failed_with_another_value_is_asked_for_until_it_is_made(workflow, number, failure):
    steps = ["one", "one"]
    steps[number] = failure
    workflow.set(*steps)
    assert workflow.run()[0] == 1
    assert DONE not in workflow.run("-n")[1]
    steps[number] = "two"
    workflow.set(*steps)
    status, output = workflow.run()
    assert status == 0, output
    assert workflow.file("walk/table.txt").read_text() == f"{steps[1]}\n"
    assert DONE in workflow.run("-n")[1]


@pytest.mark.parametrize("failure", FAILURES)
def test_with_the_value_of_before_nothing_has_changed(workflow, failure):
    workflow.set(failure, "one")
    workflow.run()
    workflow.set("one", "one")
    assert DONE in workflow.run("-n")[1]
    assert not workflow.file("cam/model.txt").exists()


def test_a_job_that_fails_behind_one_that_was_made_again_is_asked_for(workflow):
    workflow.set("two", "fails")
    assert workflow.run()[0] == 1
    workflow.set("two", "one")
    status, output = workflow.run()
    assert status == 0
    assert DONE not in output


def test_a_change_behind_a_deleted_result_is_seen(workflow):
    workflow.file("cam/model.txt").unlink()
    assert DONE in workflow.run("-n")[1]
    workflow.set("two", "one")
    assert DONE not in workflow.run("-n")[1]


def test_a_damaged_result_is_not_worked_on(workflow):
    model = workflow.file("cam/model.txt")
    times = model.stat()
    model.write_text("onf\n")
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert DONE in workflow.run()[1]  # which nothing reads any more
    workflow.set("one", "two")
    status, output = workflow.run()
    assert status == 1
    assert "results/d/v/cam/model.txt: its content has changed since it was made" in output
    assert workflow.file("walk/table.txt").read_text() == "one\n"
    model.unlink()
    assert workflow.run()[0] == 0
    assert workflow.file("walk/table.txt").read_text() == "two\n"
    assert model.read_text() == "one\n"


@pytest.mark.slow
def test_a_run_that_is_asked_to_end_ends_at_any_moment(workflow):
    """Once in six it took for ever, between two jobs; here many follow another at once."""
    names = [f"results/d/v/cam/{number}.txt" for number in range(300)]
    rules = (
        SNAKEFILE
        + """

rule one:
    output:
        "results/d/v/cam/{number}.txt",
    shell:
        "touch {output}"
"""
    )
    (workflow.folder / "Snakefile").write_text(rules)
    rng = random.Random(0)
    for _ in range(int(os.environ.get("HFPL_TERMS", "25"))):
        for name in names:
            (workflow.folder / name).unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            "--quiet",
            "all",
            "--",
            *names,
        ]
        process = subprocess.Popen(
            [*command, *names], cwd=workflow.folder, env=workflow.environment
        )
        time.sleep(rng.uniform(2, 6))
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
