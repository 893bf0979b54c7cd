"""Snakemake, run as a person would."""

import subprocess
import sys
from collections.abc import Iterable


def run_snakemake(
    arguments: Iterable[str], *, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in this interpreter's environment and the current folder.

    Args:
        capture: keep what it prints.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, text=True, capture_output=capture, check=False)
