"""Run the real workflow in a folder of its own."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
