"""Run the real workflow in a folder of its own."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError

from hfpl.params.presets import preset_text

Snakemake = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def snakemake(repository: Path) -> Snakemake:
    """From a work folder and arguments to the finished process, output in ``stdout``."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
        command = [
            sys.executable, "-m", "snakemake", "-s", str(repository / "workflow" / "Snakefile"),
            "-d", str(folder), *arguments,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        return subprocess.run(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    return run


@pytest.fixture(scope="session")
def write_params() -> Callable[..., None]:
    """Write params.yaml of a preset with settings into a folder."""

    def write(folder: Path, preset: str = "micro", *settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "params.yaml").write_text(preset_text(preset, settings), encoding="utf-8")

    return write


@pytest.fixture(scope="session")
def read_plan() -> Callable[[str], dict[str, tuple[int, str]]]:
    """From what a dry run prints to rule → number of jobs and reasons."""

    def read(plan: str) -> dict[str, tuple[int, str]]:
        if "Nothing to be done" in plan:
            return {}
        lines = plan.splitlines()
        (start,) = (i for i, line in enumerate(lines) if line.split()[:2] == ["rule", "jobs"])
        (end,) = (i for i, line in enumerate(lines) if line.endswith("jobs would run"))
        rows = (line.split(maxsplit=2) for line in lines[start + 1 : end])
        return {rule: (int(jobs), why) for rule, jobs, why in rows}

    return read


@pytest.fixture(scope="session")
def after_walk() -> set[str]:
    """Rules that run where the walk and nothing before it has changed."""
    return {
        "walk",
        "segment_train",
        "segment_test",
        "segment_model",
        "evaluate_masks",
        "evaluate_table",
        "report",
    }


@pytest.fixture(scope="session")
def digests() -> Callable[[Path], dict[str, str]]:
    """Digest of every result below a folder, by path; logs and benchmarks are no results."""

    def collect(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "logs" not in path.parts
        }

    return collect


@pytest.fixture(scope="session")
def micro_run(tmp_path_factory, snakemake: Snakemake, write_params) -> Path:
    """Folder of a finished run on the micro configuration with two cores."""
    folder = tmp_path_factory.mktemp("micro")
    write_params(folder)
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 0, done.stdout
    return folder


class Clone:
    """A clone of the project, used as a person would."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": programs}
        subprocess.run(["git", "clone", "-q", str(source), str(folder)], check=True)
        self.run("git", "config", "user.name", "a person")
        self.run("git", "config", "user.email", "person@example.org")

    def run(self, *command: str, status: int = 0) -> str:
        """Output of a command, which must end with a status."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == status, f"{command}:\n{done.stdout}"
        return done.stdout

    def write_params(self, *settings: str) -> None:
        text = preset_text("micro", settings)
        (self.folder / "params.yaml").write_text(text, encoding="utf-8")

    def plan(self) -> str:
        return self.run("snakemake", "-n")

    def compute(self) -> None:
        self.run("snakemake", "--cores", "2")

    def share(self, message: str) -> None:
        """Give the results to DVC, commit what describes them, push them."""
        self.run("hfpl", "dvc", "commit")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)
        self.run("hfpl", "dvc", "push")

    def read(self, name: str) -> bytes:
        return (self.folder / "results/shapes/seam-isl-fsl" / name).read_bytes()


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Clone:
    """A clone of the last commit, without any results."""
    return Clone(repository, tmp_path / "clone")


@pytest.fixture(scope="session")
def pushed(repository: Path, tmp_path_factory) -> Clone:
    """A clone that has run the micro configuration and pushed to a folder; not to be changed."""
    folder = tmp_path_factory.mktemp("clones")
    clone = Clone(repository, folder / "pushed")
    clone.write_params()
    clone.run("dvc", "remote", "add", "-q", "-d", "store", str(folder / "remote"))
    clone.compute()
    clone.share("a run")
    return clone


@pytest.fixture(scope="session")
def clone_of(tmp_path_factory) -> Callable[..., Clone]:
    """Clone a clone, with its remote; with its results too, as if they had been computed there."""

    def make(source: Clone, *, results: bool = False) -> Clone:
        clone = Clone(source.folder, tmp_path_factory.mktemp("clone") / "clone")
        if results:
            for name in ("results", ".snakemake", ".dvc/cache"):
                # With the times of modification, which Snakemake's memory is about.
                shutil.copytree(source.folder / name, clone.folder / name, symlinks=True)
        return clone

    return make


class S3:
    """A server that speaks S3, on this machine, with a bucket ``team``."""

    keys = {
        "AWS_ACCESS_KEY_ID": "a-person",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def __init__(self, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        program = str(Path(sys.executable).with_name("moto_server"))
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [program, "-p", str(self.port)], stdout=output, stderr=output
            )
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.keys["AWS_SECRET_ACCESS_KEY"],
            region_name=self.keys["AWS_DEFAULT_REGION"],
        )
        for _ in range(300):
            try:
                self.client.create_bucket(Bucket="team")
                return
            except BotoCoreError:
                time.sleep(0.1)
        raise AssertionError(log.read_text())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3]:
    server = S3(tmp_path / "s3.log")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def installed(repository: Path, tmp_path_factory) -> Callable[[str], Path]:
    """Folder with the packages of a requirements file alone, or a skip where they cannot be had.

    In the environment itself, Snakemake's plugins would slow every other test.
    """

    def install(requirements: str) -> Path:
        folder = tmp_path_factory.mktemp("installed")
        done = subprocess.run(
            [
                sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                "--no-deps", "--target", str(folder), "-r", str(repository / requirements),
            ],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"{requirements} cannot be installed: {done.stdout.strip()[-200:]}")
        return folder

    return install
