"""A fifth method, written as docs/extend.md says, trains with ISL and FSL attached."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfpl.storage.shards import Shard
from tests.extend.page import copied_package, example

SCRIPT = """
import sys
from hfpl.cli import main

def run(*arguments):
    if main(list(arguments)):
        sys.exit(1)

run("params", *{settings!r})
run("data", "archive", "--archive", "shapes.zip", "--digest", "shapes.json")
run("data", "index", "--images", "shapes.zip", "--train-manifests", "t0.json", "t1.json",
    "--val-manifests", "v0.json", "v1.json")
for variant in ("peak", "peak-isl-fsl"):
    run("cam", "train", "--variant", variant, "--images", "shapes.zip", "--threads", "1",
        "--manifests", "t0.json", "t1.json", "--model", variant + ".safetensors",
        "--history", variant + ".csv")
    run("cam", "infer", "--variant", variant, "--images", "shapes.zip", "--threads", "1",
        "--manifest", "v0.json", "--model", variant + ".safetensors", "--cams", variant + ".zip")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repository: Path) -> Path:
    """Folder with a copy of the package, the page's file in it, and what two short runs wrote."""
    folder = copied_package(repository, tmp_path_factory.mktemp("fifth"))
    code, command = example(repository, "A CAM method")
    (folder / "hfpl" / "plugins" / "methods" / "peak.py").write_text(code, encoding="utf-8")
    # The page's command, on the preset that trains for a few steps.
    settings = ["micro", *command[2:]]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(settings=settings)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_added_losses_attach_without_a_line_of_it(trained):
    for variant, added in (("peak", []), ("peak-isl-fsl", ["isl_cls", "fsl"])):
        with (trained / f"{variant}.csv").open(encoding="utf-8", newline="") as file:
            history = list(csv.DictReader(file))
        assert list(history[0]) == ["step", "total", "cls", *added]
        assert len(history) > 5
    models = [(trained / f"{v}.safetensors").read_bytes() for v in ("peak", "peak-isl-fsl")]
    assert models[0] != models[1]


def test_its_cams_are_inferred(trained):
    shard = Shard(trained / "peak-isl-fsl.zip")
    found = [shard.scores(name, (48, 48), counts_from=0) for name in shard.ids]
    assert any(classes for classes, _ in found)
    assert max(scores.max() for classes, scores in found if classes) > 0.9
