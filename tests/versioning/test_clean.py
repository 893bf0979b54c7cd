"""Clean-up: what nothing refers to is shown, and removed only if asked."""

import os
import subprocess
from pathlib import Path

import pytest

from hfpl.cli import main
from hfpl.jobs.alone import MARKS, at_work, process_mark
from hfpl.params.load import load_params
from hfpl.params.presets import preset_text
from hfpl.params.runs import ablation_runs
from hfpl.versioning.clean import Leftover, committed_results, find_leftovers, remove

RUN = "results/shapes/seam-isl-fsl"
PLANNED = [
    "results/shapes/data/train-0.json",
    f"{RUN}/cam/model.safetensors",
    f"{RUN}/cam/train-0.zip",
]


@pytest.fixture
def work(tmp_path: Path, monkeypatch) -> Path:
    """A working directory with the results that are planned."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(preset_text("micro"), encoding="utf-8")
    put(*PLANNED)
    return tmp_path


def put(*paths: str) -> None:
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def found(committed: list[str] | None = None) -> dict[str, str]:
    params = load_params(Path("params.yaml"))
    leftovers = find_leftovers(Path("results"), params, PLANNED, committed or [])
    return {str(leftover.path): leftover.why for leftover in leftovers}


def test_what_is_planned_or_no_result_is_no_leftover(work):
    put(f"{RUN}/cam/logs/train.log", f"{RUN}/cam/provenance.json", "results/report.html")
    put("results/notes/about.txt", "results/shapes/notes.txt")
    assert found() == {}


def test_other_variants_of_the_parameters_are_kept(work):
    put("results/shapes/seam/cam/model.safetensors", "results/shapes/seam/cam/train-0.zip")
    run = ablation_runs(load_params(Path("params.yaml")))[-1]
    assert "@" in run
    put(f"results/shapes/{run}/cam/train-0.zip", "results/shapes/ablation/table.csv")
    assert found() == {}
    put("results/shapes/seam@seed=77/cam/train-0.zip")
    assert found() == {"results/shapes/seam@seed=77": "no variant of params.yaml"}


def test_what_no_parameter_names(work):
    put("results/pets/data/train-0.json", "results/pets/seam/cam/train-0.zip")
    put("results/shapes/older/cam/train-0.zip", f"{RUN}/cam/train-7.zip")
    put("results/shapes/seam/cam/train-7.zip")
    assert found() == {
        "results/pets": "no data set of params.yaml",
        "results/shapes/older": "no variant of params.yaml",
        f"{RUN}/cam/train-7.zip": "not made with these parameters",
        "results/shapes/seam/cam/train-7.zip": "not made with these parameters",
    }


def test_what_a_commit_names_is_kept(work):
    named = [
        "results/pets/seam/cam/train-0.zip",
        "results/shapes/older/cam/train-0.zip",
        f"{RUN}/cam/train-7.zip",
    ]
    put(*named, "results/pets/seam-isl/cam/train-0.zip")
    assert found(named) == {}


def test_checkpoints_of_ended_trainings_and_half_written_files(work):
    put(f"{RUN}/cam/model.checkpoint", f"{RUN}/affinity/model.checkpoint")
    put(f"{RUN}/cam/.train-0.zip.0a1b.part")
    assert found() == {
        f"{RUN}/cam/model.checkpoint": "checkpoint of a training that has ended",
        f"{RUN}/cam/.train-0.zip.0a1b.part": "half written",
    }


def test_results_are_named_by_the_commits_of_all_branches(work):
    def git(*arguments: str) -> None:
        person = ("-c", "user.name=a person", "-c", "user.email=person@example.org")
        subprocess.run(["git", *person, *arguments], check=True, capture_output=True)

    assert committed_results() == set()
    git("init", "-q", "-b", "main")
    for branch, out in (("main", "a/one.zip"), ("other", "b/two.zip")):
        if branch != "main":
            git("checkout", "-q", "-b", branch)
        outs = f"    outs:\n    - path: {out}\n      hash: md5\n"
        Path("dvc.lock").write_text(f"stages:\n  walk:\n{outs}")
        git("add", "dvc.lock")
        git("commit", "-q", "-m", branch)
    git("checkout", "-q", "main")
    assert committed_results() == {"a/one.zip", "b/two.zip"}


def test_removing_leaves_the_rest(work):
    put("results/pets/data/train-0.json", f"{RUN}/cam/train-7.zip")
    outside = work / "outside"
    put("outside/kept")
    (work / "results/pets/link").symlink_to(outside)
    leftovers = [Leftover(Path("results/pets"), ""), Leftover(Path(f"{RUN}/cam/train-7.zip"), "")]
    assert leftovers[1].size == 5
    forgotten: list[Path] = []
    remove(leftovers, forgotten.append)
    assert Path("results/pets/data/train-0.json") in forgotten
    assert (outside / "kept").exists()
    assert sorted(str(p) for p in Path("results").rglob("*") if p.is_file()) == sorted(PLANNED)


def test_the_command_shows_first_and_removes_if_asked(work, capsys):
    put("results/pets/data/train-0.json")
    assert main(["clean"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == "5 bytes  results/pets  (no data set of params.yaml)"
    assert "1 leftovers, 5 bytes: nothing removed; --yes removes them" in said.err
    assert Path("results/pets/data/train-0.json").exists()
    assert main(["clean", "--yes"]) == 0
    assert not Path("results/pets").exists()
    assert main(["clean"]) == 0
    assert "nothing left over" in capsys.readouterr().err


def test_nothing_is_removed_beside_a_run(work, capsys):
    put("results/pets/data/train-0.json")
    with at_work("run"):
        assert main(["clean", "--yes"]) == 1
    assert "a run is at work in this folder" in capsys.readouterr().err
    assert Path("results/pets/data/train-0.json").exists()
    # The mark of a process that was killed keeps nobody out.
    (MARKS / f"run@{process_mark(os.getpid())}9").touch()
    assert main(["clean", "--yes"]) == 0
    assert not Path("results/pets").exists()
