"""Blocks of commands on the pages, and one as a reader runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path


def blocks(page: Path) -> list[list[str]]:
    """Commands of each ``sh`` block of a page: lines that go on are joined, comments left out."""
    found = []
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = block.replace("\\\n", " ").splitlines()
        commands = (re.sub(r"(^|\s{2,})#(?!SBATCH).*", "", line).strip() for line in lines)
        found.append([" ".join(command.split()) for command in commands if command])
    return found


def run(folder: Path, command: str, **variables: str) -> None:
    """Run a command in a folder, with this environment's programs on the path; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
