"""Commands of the rules in a container, with a program in the place of apptainer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

APPTAINER = """#!/bin/sh
[ "$1" != --version ] || { echo apptainer version 1.4.0; exit; }
for word; do :; done
PATH=%s:/usr/bin:/bin exec sh -c "$word"
"""
HFPL = """#!/bin/sh
echo "$@" >>%s
exec %s "$@"
"""


def test_the_commands_are_those_of_the_container(repository, write_params, tmp_path):
    image, calls = tmp_path / "image", tmp_path / "calls.txt"
    hfpl = Path(sys.executable).with_name("hfpl")
    write_program(tmp_path / "host" / "apptainer", APPTAINER % image)
    write_program(image / "hfpl", HFPL % (calls, hfpl))
    write_params(tmp_path)
    command = [
        sys.executable, "-m", "snakemake", "-s", str(repository / "workflow" / "Snakefile"),
        "--cores", "1", "--software-deployment-method", "apptainer",
        "--", "results/shapes/data/shapes.zip",
    ]  # fmt: skip
    path = os.pathsep.join([str(tmp_path / "host"), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": str(repository), "PATH": path}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    (call,) = calls.read_text().splitlines()
    assert call.startswith("data archive")


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o755)
