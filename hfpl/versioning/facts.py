"""What the rules make of what, asked of Snakemake itself."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfpl.params.reruns import stage_of
from hfpl.storage.atomic import read_json, write_json

FACTS_VARIABLE = "HFPL_FACTS"
"""Environment variable with the file that a plan leaves its jobs in."""


@dataclass(frozen=True)
class Output:
    """A result of the planned run.

    Attributes:
        path: of the file, as the rules write it.
        rule: that makes it.
        inputs: files that its job reads.
    """

    path: str
    rule: str
    inputs: tuple[str, ...]

    @property
    def stage(self) -> str:
        """Stage that it belongs to: the first part of its rule's name."""
        return stage_of(self.rule)


def planned_outputs(options: Iterable[str] = ()) -> list[Output]:
    """Every result of ``snakemake all``, there or not, in the order of the stages' files.

    Args:
        options: for Snakemake, such as ``--snakefile``.

    Raises:
        ValueError: the plan cannot be made; Snakemake's own last line says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "facts.json"
        # Forced, the plan has every job, with the inputs that it would read.
        done = run_snakemake(["-n", "--forceall", *options], capture=True, facts=facts)
        if done.returncode:
            # A plan says on stdout what a run says on stderr.
            raise ValueError(f"no plan: {_reason(done.stderr + done.stdout)}")
        jobs = read_json(facts)
    found = [
        Output(path, job["rule"], tuple(job["input"])) for job in jobs for path in job["output"]
    ]
    return sorted(found, key=lambda output: output.path)


def write_facts(path: str | Path, jobs: Iterable[Any]) -> None:
    """Write what Snakemake's jobs are made of; the rules call it where a plan is asked for."""
    facts = [
        {
            "rule": job.rule.name,
            "input": sorted(map(str, job.input)),
            "output": [*map(str, job.output)],
        }
        for job in jobs
    ]
    write_json(path, facts)


def _reason(errors: str) -> str:
    """What Snakemake says below the name of the error, without the places in its files."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("File ")]
    start = next((i for i, line in enumerate(told) if "Error" in line.split()[0]), -1)
    if start >= 0 and told[start].startswith("Error: "):
        return told[start].removeprefix("Error: ")
    return " ".join(told[start + 1 :][:2]) or "snakemake failed"


def run_snakemake(
    arguments: Iterable[str], *, capture: bool = False, facts: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in this interpreter's environment and the current folder.

    Args:
        capture: keep what it prints.
        facts: file that a plan leaves its jobs in.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    environment = {**os.environ, **({FACTS_VARIABLE: str(facts)} if facts else {})}
    return subprocess.run(command, env=environment, text=True, capture_output=capture, check=False)
