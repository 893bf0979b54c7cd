"""What the rules make of what, asked of Snakemake itself."""

import csv
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from hfpl.params.reruns import stage_of


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
    done = run_snakemake(["--detailed-summary", *options], capture=True)
    if done.returncode:
        raise ValueError(f"no plan: {_reason(done.stderr)}")
    start = done.stdout.index("output_file\t")
    rows = csv.DictReader(done.stdout[start:].splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    found = [
        Output(row["output_file"], row["rule"], _names(row["input-file(s)"]))
        for row in rows
        if row["rule"] != "all"
    ]
    return sorted(found, key=lambda output: output.path)


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name for name in cell.split(",") if name not in ("", "-"))


def _reason(errors: str) -> str:
    """What Snakemake says below the name of the error, without the places in its files."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("File ")]
    start = next((i for i, line in enumerate(told) if "Error" in line.split()[0]), -1)
    if start >= 0 and told[start].startswith("Error: "):
        return told[start].removeprefix("Error: ")
    return " ".join(told[start + 1 :][:2]) or "snakemake failed"


def run_snakemake(
    arguments: Iterable[str], *, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in this interpreter's environment and the current folder."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, text=True, capture_output=capture, check=False)
