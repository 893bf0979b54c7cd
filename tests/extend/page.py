"""The examples of docs/extend.md, as its readers would take them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SCRIPT = """
import sys
from hfpl.cli import main

for arguments in {commands!r}:
    if main(arguments):
        sys.exit(1)
"""


def example(repository: Path, heading: str) -> tuple[str, list[str]]:
    """Code of a section of the page, and the arguments of its first command without ``hfpl``."""
    page = (repository / "docs" / "extend.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    program, *arguments = shlex.split(commands.replace("\\\n", " ").splitlines()[0])
    assert program == "hfpl"
    return code, arguments


def copied_package(repository: Path, folder: Path) -> Path:
    """A copy of the package in a folder, to add the page's files to; the folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "hfpl", folder / "hfpl", ignore=ignored)
    return folder


def run_commands(folder: Path, commands: Iterable[list[str]]) -> str:
    """Output of commands of the package in a folder, without ``hfpl``; each must succeed."""
    return run_python(folder, "-c", SCRIPT.format(commands=list(commands)))[0]


def run_python(folder: Path, *arguments: str) -> tuple[str, str]:
    """What Python has written to stdout and stderr with a folder's package; it must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr
