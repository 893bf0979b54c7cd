"""DVC's commands, run as a person would, with the many lines of a failure as one."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def run_dvc(*arguments: str) -> str:
    """Run ``dvc`` in the current folder, its progress shown on a terminal; what it printed.

    Raises:
        ValueError: it has failed; one line, :func:`reason_of`.
    """
    program = shutil.which("dvc", path=str(Path(sys.executable).parent)) or shutil.which("dvc")
    if program is None:
        raise ValueError(
            'dvc is not installed: pip install -r requirements-dvc.txt, or pip install "hfpl[dvc]"'
        )
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
        said: list[str] = []
        # A bar ends its lines by a carriage return, which counts as the end of a line here.
        for line in process.stderr:
            bar = _BAR.search(line) is not None
            if not bar:
                said.append(line.rstrip())
            if shown and not line.startswith(("WARNING: ", "ERROR: ")):
                print(line.rstrip("\n"), end="\r", file=sys.stderr, flush=True)
        output = process.stdout.read()
    if process.returncode:
        raise ValueError(reason_of(said) or f"'dvc {' '.join(arguments)}' has failed")
    return output


_BAR = re.compile(r"\d%\||\?it/s|file/s\]|files? \[")
_MOST = 400
"""Characters of a reason; DVC lists every file."""


def reason_of(lines: Iterable[str]) -> str:
    """DVC's words for a failure as one line: its first reason and its own summary, each with the
    lines that belong to it; where it names no error, what it warned of."""
    blocks: list[list[str]] = []
    for line in filter(None, map(str.strip, lines)):
        if not blocks or line.startswith(("ERROR: ", "WARNING: ")):
            blocks.append([])
        blocks[-1].append(line)
    errors = [block for block in blocks if block[0].startswith("ERROR: ")]
    told = errors[:1] + errors[1:][-1:] or blocks
    words = (" ".join(block).removeprefix("ERROR: ").removeprefix("WARNING: ") for block in told)
    whole = "; ".join(" ".join(text.split()) for text in words)
    return whole if len(whole) <= _MOST else f"{whole[: _MOST - 1]}…"
