"""A folder of one's own that runs the workflow."""

import subprocess
import sys
from pathlib import Path

import pytest

from hfpl.cli import main
from hfpl.params import load_params


@pytest.fixture
def empty(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_snakemake_plans_what_was_written(empty: Path):
    assert main(["init", "micro", "--set", "grid.seed=3"]) == 0
    plan = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"], text=True, capture_output=True, check=False
    )
    assert plan.returncode == 0, plan.stderr
    assert "cam_train" in plan.stdout + plan.stderr
    assert "32 jobs would run" in plan.stdout + plan.stderr
    assert load_params(Path("params.yaml")).chosen_variant.seed == 3


@pytest.mark.parametrize("name", ["photos", "my photos: all", "no"])
def test_the_photographs_are_where_one_says(empty: Path, name):
    Path(name).mkdir()
    assert main(["init", "folder", name]) == 0
    assert load_params(Path("params.yaml")).chosen_dataset.root == name


@pytest.mark.parametrize(("number", "shards"), [(0, 1), (300, 1), (301, 2), (9000, 16)])
def test_few_photographs_are_not_divided(empty: Path, number, shards):
    for place in ("dog", "masks"):
        Path("photos", place).mkdir(parents=True)
        for k in range(number):
            Path("photos", place, f"{k}.jpg").touch()
    assert main(["init", "folder", "photos"]) == 0
    assert load_params(Path("params.yaml")).shards == shards


def test_what_one_sets_oneself_stands(empty: Path):
    Path("photos").mkdir()
    assert main(["init", "folder", "photos", "--set", "shards=3"]) == 0
    assert load_params(Path("params.yaml")).shards == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["folder"], "preset folder: name the folder of photographs as well"),
        (["folder", "lost"], "lost: no such folder"),
        (["demo", "."], "preset demo: its data set is no folder of photographs"),
        (["foldr", "."], "preset 'foldr': unknown; did you mean 'folder'?"),
        (["micro", "--set", "cam.epochs=x"], "cam.epochs: input should be a valid integer"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(empty: Path, capsys, words, told):
    assert main(["init", *words]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not list(empty.iterdir())


def test_what_is_there_stays(empty: Path, capsys):
    Path("Snakefile").write_text("mine")
    assert main(["init", "micro"]) == 1
    assert "Snakefile is there already; choose an empty folder" in capsys.readouterr().err
    assert [path.name for path in empty.iterdir()] == ["Snakefile"]
    assert Path("Snakefile").read_text() == "mine"


def test_what_is_checked_before_a_run_is_checked_here_too(empty: Path):
    Path("photos").mkdir()
    assert main(["init", "folder", "photos"]) == 0
    Path("photos").rmdir()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1"], text=True, capture_output=True
    )
    assert done.returncode == 1
    assert "datasets.folder.root: photos: no such folder" in done.stdout + done.stderr
    assert not Path("results/folder/data").exists() or not list(Path("results").rglob("*.json"))
