"""The real DAG through a real SLURM of one node, with the profile that a user takes."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COLUMNS = ("JobArrayID", "Comment", "State", "RestartCnt", "tres-per-job", "MinMemory", "TimeLimit")
ON_A_GPU = ("pretrain", "cam_train", "cam_infer", "affinity", "walk", "segment_train",
            "segment_test")  # fmt: skip
MODEL = "results/shapes/seam-isl-fsl/cam/model.safetensors"
LONG = ("cam.epochs=20",)
"""Seconds of training: time to cancel it in the middle."""


class Slurm:
    """A SLURM on this machine, and Snakemake with the profile for it."""

    def __init__(self, repository: Path, folder: Path, plugin: Path) -> None:
        self.repository, self.folder = repository, folder
        self.script = str(repository / "scripts" / "slurm.sh")
        self.environment = {**os.environ, "PYTHONPATH": f"{repository}{os.pathsep}{plugin}"}
        self.started: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start the daemons, and let their programs find them."""
        done = self.run(self.script, "start", str(self.folder))
        assert done.startswith("export SLURM_CONF=")
        self.environment["SLURM_CONF"] = str(self.folder / "slurm.conf")
        self.environment["PATH"] = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def stop(self) -> None:
        """Stop what is left of runs, then the daemons with their jobs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.run(self.script, "stop", str(self.folder))

    def run(self, *command: str) -> str:
        """What a command prints."""
        done = subprocess.run(command, env=self.environment, text=True, stdout=subprocess.PIPE)
        assert done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout

    def snakemake(self, folder: Path, *targets: str) -> subprocess.Popen:
        """Start Snakemake in a folder, its output into a file there."""
        workflow = self.repository / "workflow"
        command = [
            sys.executable, "-m", "snakemake", "-s", str(workflow / "Snakefile"),
            "--profile", str(workflow / "profiles" / "slurm"),
            "--config", "gpu_model=pretended",
            # No other file system here, and no time to lose.
            "--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2", *targets,
        ]  # fmt: skip
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=self.environment, stdout=output, stderr=output
            )
        self.started.append(process)
        return process

    def jobs(self, rule: str = "") -> list[dict[str, str]]:
        """Jobs that were submitted for a rule, ended ones included, in their order."""
        columns = ",".join(f"{name}:|" for name in COLUMNS)
        lines = self.run("squeue", "--states=all", "--noheader", "--sort=i", "-O", columns)
        found = [dict(zip(COLUMNS, line.split("|"), strict=False)) for line in lines.splitlines()]
        return [job for job in found if job["Comment"].startswith(f"rule_{rule}")]


@pytest.fixture(scope="module")
def plugin(installed) -> Path:
    """Folder with Snakemake's plugin."""
    return installed("requirements-slurm.txt")


@pytest.fixture
def slurm(repository: Path, plugin: Path, tmp_path: Path) -> Iterator[Slurm]:
    """A running SLURM without any jobs."""
    if os.geteuid():
        pytest.skip("no SLURM: it is started by root alone")
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [p for p in ("munged", "slurmctld", "slurmd") if not shutil.which(p, path=places)]
    if missing:
        pytest.skip(f"no SLURM: {', '.join(missing)} not found; 'scripts/slurm.sh install'")
    running = Slurm(repository, tmp_path / "slurm", plugin)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def finish(process: subprocess.Popen, folder: Path) -> str:
    """What Snakemake said, once it has ended well."""
    process.wait(timeout=3600)
    output = (folder / "output.txt").read_text()
    assert process.returncode == 0, output
    return output


def test_the_whole_dag_gives_the_bytes_of_a_local_run(
    slurm, micro_run, write_params, digests, tmp_path
):
    folder = tmp_path / "run"
    write_params(folder)
    finish(slurm.snakemake(folder, "all"), folder)
    assert digests(folder / "results") == digests(micro_run / "results")

    jobs = slurm.jobs()
    assert {job["State"] for job in jobs} == {"COMPLETED"}
    for rule in ON_A_GPU:
        found = slurm.jobs(rule)
        assert {job["tres-per-job"] for job in found} == {"gres:gpu:pretended:1"}, rule
        # Shards that are ready at a time are one job to SLURM.
        if rule in ("cam_infer", "walk", "segment_test"):
            assert {job["JobArrayID"].split("_")[1] for job in found} == set("1234")
    assert {job["tres-per-job"] for job in slurm.jobs("pseudo")} == {"N/A"}
    (training,) = slurm.jobs("segment_train")
    assert (training["MinMemory"], training["TimeLimit"]) == ("8000M", "1-00:00:00")
    # Both indices in one job; the table and the report in none.
    assert [job["Comment"] for job in slurm.jobs("index")] == ["rule_index_data_index_data_masks"]
    assert not slurm.jobs("report")
    assert not slurm.jobs("evaluate_wildcards")
    assert len(slurm.jobs("evaluate")) == 6


@pytest.fixture(scope="module")
def long_training(tmp_path_factory, snakemake, write_params) -> bytes:
    """The CAM network of a training of some seconds that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write_params(folder, "micro", *LONG)
    done = snakemake(folder, "--cores", "2", "--", MODEL)
    assert done.returncode == 0, done.stdout
    return (folder / MODEL).read_bytes()


@pytest.mark.parametrize(
    ("command", "jobs"),
    [
        # State and restarts of each job: Snakemake sends one again, SLURM starts one again.
        (["scancel", "{job}"], [("CANCELLED", "0"), ("COMPLETED", "0")]),
        (
            ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true"],
            [("COMPLETED", "1")],
        ),
    ],
    ids=["cancelled", "preempted"],
)
def test_a_training_that_is_stopped_goes_on_to_the_same_weights(
    slurm, long_training, write_params, tmp_path, command, jobs
):
    folder = tmp_path / "run"
    write_params(folder, "micro", *LONG)
    process = slurm.snakemake(folder, MODEL)
    wait_for(lambda: trains(folder) or process.poll() is not None)
    time.sleep(1)
    (job,) = slurm.jobs("cam_train")
    slurm.run(*(word.format(job=job["JobArrayID"]) for word in command))
    # Within a minute, only a training that is stopped writes one; only one that ends removes it.
    checkpoint = (folder / MODEL).with_suffix(".checkpoint")
    wait_for(lambda: checkpoint.exists() or process.poll() is not None)
    output = finish(process, folder)

    found = slurm.jobs("cam_train")
    assert [(job["State"], job["RestartCnt"]) for job in found] == jobs, output
    assert not checkpoint.exists()
    assert (folder / MODEL).read_bytes() == long_training
    assert [job["MinMemory"] for job in found] == ["8000M", "16000M"][: len(found)]


def wait_for(condition: Callable[[], bool]) -> None:
    """Until a condition holds; half an hour at most."""
    end = time.monotonic() + 1800
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def trains(folder: Path) -> bool:
    """Whether a CAM network is in training in a folder: its process then waits for SIGTERM."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status = (process / "status").read_text()
            here = (process / "cwd").resolve() == folder
        except OSError:
            continue  # It has ended meanwhile.
        if here and ("cam", "train") in zip(words, words[1:], strict=False):
            caught = int(status.split("SigCgt:")[1].split()[0], 16)
            return bool(caught >> 14 & 1)
    return False
