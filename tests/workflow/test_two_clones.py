"""What one clone has computed another one pulls, and nothing passes for what it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfpl.params.presets import preset_text

pytestmark = pytest.mark.slow


class Clone:
    """A clone of the project, used as a person would."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, "PYTHONPATH": str(folder), "PATH": programs}
        subprocess.run(["git", "clone", "-q", str(source), str(folder)], check=True)
        self.run("git", "config", "user.name", "a person")
        self.run("git", "config", "user.email", "person@example.org")

    def run(self, *command: str, status: int = 0) -> str:
        """Output of a command, which must end with a status."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == status, f"{command}:\n{done.stdout}"
        return done.stdout

    def write_params(self, *settings: str) -> None:
        text = preset_text("micro", settings)
        (self.folder / "params.yaml").write_text(text, encoding="utf-8")

    def compute(self) -> None:
        self.run("snakemake", "--cores", "2")

    def share(self, message: str) -> None:
        """Give the results to DVC, commit what describes them, push them."""
        self.run("hfpl", "dvc", "commit")
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)
        self.run("dvc", "push", "-q")

    def read(self, name: str) -> bytes:
        return (self.folder / "results/shapes/seam-isl-fsl" / name).read_bytes()


@pytest.fixture(scope="module")
def clones(repository, tmp_path_factory) -> tuple[Clone, Clone]:
    """Two clones: what the first has computed and pushed, the second has pulled."""
    folder = tmp_path_factory.mktemp("clones")
    one = Clone(repository, folder / "one")
    one.write_params()
    one.run("dvc", "remote", "add", "-q", "-d", "store", str(folder / "remote"))
    one.compute()
    one.share("a run")
    two = Clone(one.folder, folder / "two")
    two.run("dvc", "pull", "-q")
    return one, two


def test_nothing_is_left_to_do_where_results_were_pulled(clones):
    one, two = clones
    assert "Nothing to be done" in two.run("snakemake", "--cores", "2")
    assert two.read("evaluate/table.csv") == one.read("evaluate/table.csv")
    assert "Nothing to be done" in one.run("snakemake", "-n")


def test_a_change_runs_its_dependants_alone_and_comes_back(clones, read_plan):
    one, two = clones
    two.write_params("walk.beta=4")
    plan = read_plan(two.run("snakemake", "-n"))
    assert set(plan) == {
        "walk", "segment_train", "segment_test", "evaluate_masks", "evaluate", "report",
    }  # fmt: skip
    assert plan["walk"] == (4, "walk.beta: 8.0 → 4.0")
    two.compute()
    two.share("another beta")
    one.run("git", "pull", "-q", str(two.folder), "HEAD")
    # The new parameters are there, the results are not yet.
    assert read_plan(one.run("snakemake", "-n"))["walk"] == (4, "walk.beta: 8.0 → 4.0")
    one.run("dvc", "pull", "-q")
    assert "Nothing to be done" in one.run("snakemake", "-n")
    assert one.read("evaluate/table.csv") == two.read("evaluate/table.csv")
    assert "walk" in one.run("dvc", "metrics", "diff", "HEAD~1")


def test_results_of_other_parameters_do_not_pass_for_current(clones, read_plan):
    one, _ = clones
    now = one.read("walk/val-0.zip")
    one.run("git", "checkout", "-q", "HEAD~1", "--", "params.yaml")
    assert read_plan(one.run("snakemake", "-n"))["walk"] == (4, "walk.beta: 4.0 → 8.0")
    # Back to the whole earlier version, in the same clone.
    one.run("git", "checkout", "-q", "HEAD", "--", "params.yaml")
    one.run("git", "checkout", "-q", "HEAD~1")
    one.run("dvc", "checkout", "-q")
    assert one.read("walk/val-0.zip") != now
    assert "Nothing to be done" in one.run("snakemake", "-n")
    one.write_params("walk.beta=4")
    assert read_plan(one.run("snakemake", "-n"))["walk"] == (4, "walk.beta: 8.0 → 4.0")
    one.run("git", "checkout", "-q", "--", "params.yaml")


def test_an_unfinished_run_is_not_committed(clones):
    one, _ = clones
    one.write_params("walk.beta=2")
    said = one.run("hfpl", "dvc", "commit", status=1)
    assert "the run is not finished" in said
    assert "walk.beta" in said
    one.run("git", "checkout", "-q", "--", "params.yaml")
