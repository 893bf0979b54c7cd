"""DVC's commands, run as a person would, with the many lines of a failure as one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def run_dvc(*arguments: str) -> str:
    """Run ``dvc`` in the current folder, its progress shown on a terminal; what it printed.

    Raises:
        ValueError: it has failed; one line with its first reason and its own summary.
    """
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        raise ValueError("dvc is not installed")
    shown = sys.stderr.isatty()
    # DVC shows its bars on a terminal alone, and what is read here is none.
    environment = {**os.environ, **({"DVC_IGNORE_ISATTY": "1"} if shown else {})}
    with subprocess.Popen(
        [program, *arguments],
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        errors = []
        # A bar ends its lines by a carriage return, which counts as the end of a line here.
        for line in process.stderr:
            if line.startswith("ERROR: "):
                errors.append(line.removeprefix("ERROR: ").strip())
            elif shown and not line.startswith("WARNING: "):
                print(line.rstrip("\n"), end="\r", file=sys.stderr, flush=True)
        output = process.stdout.read()
    if process.returncode:
        told = errors[:1] + errors[1:][-1:]
        raise ValueError("; ".join(told) or f"'dvc {' '.join(arguments)}' has failed")
    return output
