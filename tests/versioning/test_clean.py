"""Clean-up: what nothing refers to is shown, and removed only if asked."""

import os
import subprocess
from pathlib import Path

import pytest
import torch

from hfpl.cli import main
from hfpl.jobs.alone import MARKS, at_work, process_mark
from hfpl.params.load import load_params
from hfpl.params.presets import preset_text
from hfpl.params.runs import ablation_runs
from hfpl.storage.tensors import save_tensors
from hfpl.versioning.clean import find_leftovers, remove
from hfpl.versioning.commits import committed_results
from hfpl.versioning.memory import Memory
from hfpl.versioning.records import write_records

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
    make(*PLANNED)
    return tmp_path


def put(*paths: str) -> None:
    """Files of somebody else's."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def make(*paths: str) -> None:
    """Results as a run makes them, with what Snakemake remembers of them."""
    put(*paths)
    for path in map(Path, paths):
        log = f"{path.parent}/logs/{path.stem}.log"
        time = path.stat().st_mtime
        Memory().write(path, {"rule": "some", "endtime": time, "log": [log], "params": ["{}"]})
        put(log, f"{log[:-4]}.tsv")


def leftovers(committed: list[str] | None = None) -> list:
    params = load_params(Path("params.yaml"))
    return find_leftovers(Path("results"), params, PLANNED, committed or [], Memory().read)


def found(committed: list[str] | None = None) -> dict[str, str]:
    return {str(one.path): one.why for one in leftovers(committed) if one.files}


def others() -> set[str]:
    return {str(path) for one in leftovers() for path in one.others}


def files() -> set[str]:
    return {str(p) for p in Path("results").rglob("*") if p.is_file() and p.parent.name != "logs"}


def checkpoint(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, {"network.a": torch.zeros(1)}, {"digest": "1", "progress": "{}"})


def test_what_is_planned_or_no_result_is_no_leftover(work):
    put(f"{RUN}/cam/logs/other.log", "results/report.html")
    put("results/notes/about.txt", "results/shapes/notes.txt")
    write_records([Path(f"{RUN}/cam")], Memory().read)
    assert leftovers() == []


def test_other_variants_of_the_parameters_are_kept(work):
    make("results/shapes/seam/cam/model.safetensors", "results/shapes/seam/cam/train-0.zip")
    run = ablation_runs(load_params(Path("params.yaml")))[-1]
    assert "@" in run
    make(f"results/shapes/{run}/cam/train-0.zip", "results/shapes/ablation/table.csv")
    assert found() == {}
    make("results/shapes/seam@seed=77/cam/train-0.zip")
    assert found() == {"results/shapes/seam@seed=77": "no variant of params.yaml"}


def test_what_no_parameter_names(work):
    make("results/pets/data/train-0.json", "results/pets/seam/cam/train-0.zip")
    make("results/shapes/older/cam/train-0.zip", f"{RUN}/cam/train-7.zip")
    make("results/shapes/seam/cam/train-7.zip")
    assert found() == {
        "results/pets": "no data set of params.yaml",
        "results/shapes/older": "no variant of params.yaml",
        f"{RUN}/cam/train-7.zip": "not made with these parameters",
        "results/shapes/seam/cam/train-7.zip": "not made with these parameters",
    }
    assert others() == set()


def test_what_a_commit_names_is_kept(work):
    named = [
        "results/pets/seam/cam/train-0.zip",
        "results/shapes/older/cam/train-0.zip",
        f"{RUN}/cam/train-7.zip",
    ]
    make(*named, "results/pets/seam-isl/cam/train-0.zip")
    assert found(named) == {}


def test_checkpoints_of_ended_trainings_and_half_written_files(work):
    checkpoint(f"{RUN}/cam/model.checkpoint")
    checkpoint(f"{RUN}/affinity/model.checkpoint")
    put(f"{RUN}/cam/.0a1b2c3d.part", f"{RUN}/cam/.mine.part")
    assert found() == {
        f"{RUN}/cam/model.checkpoint": "checkpoint of a training that has ended",
        f"{RUN}/cam/.0a1b2c3d.part": "half written",
    }


# What is not this project's


def test_folders_that_only_sound_like_results_are_left(work):
    put("results/paper/data/table.csv", "results/paper/figures/one.png", "tests/data/test.py")
    assert found() == {}
    assert others() == {"results/paper/data/table.csv", "results/paper/figures/one.png"}
    remove(leftovers(), Memory().forget)
    assert Path("results/paper/figures/one.png").exists()
    params = load_params(Path("params.yaml"))
    ours = find_leftovers(Path(), params, PLANNED, [], Memory().read)
    assert not [one for one in ours if one.path.parts[0] == "tests" and one.files]


def test_files_among_results_are_left_with_their_folders(work):
    make("results/pets/data/train-0.json", "results/pets/seam/cam/train-0.zip")
    put("results/pets/data/notes.txt", "results/pets/seam/cam/logs/mine.log")
    checkpoint("results/pets/seam/cam/model.checkpoint")
    put("results/pets/seam/affinity/model.checkpoint")  # of somebody else's training
    kept = {"data/notes.txt", "seam/cam/logs/mine.log", "seam/affinity/model.checkpoint"}
    assert others() == {f"results/pets/{name}" for name in kept}
    remove(leftovers(), Memory().forget)
    below = {str(p.relative_to("results/pets")) for p in Path("results/pets").rglob("*")}
    assert {name for name in below if Path("results/pets", name).is_file()} == kept


def test_a_result_that_somebody_changed_is_left(work):
    make(f"{RUN}/cam/train-7.zip", f"{RUN}/cam/train-8.zip")
    Path(f"{RUN}/cam/train-7.zip").write_bytes(b"mine")
    os.utime(f"{RUN}/cam/train-7.zip", ns=(1, 10**18))
    assert found() == {f"{RUN}/cam/train-8.zip": "not made with these parameters"}
    assert others() == {f"{RUN}/cam/train-7.zip"}


def test_what_came_with_its_record_is_known_without_a_memory(work):
    make("results/pets/data/train-0.json")
    write_records([Path("results/pets/data")], Memory().read)
    Memory().forget(Path("results/pets/data/train-0.json"))
    assert found() == {"results/pets": "no data set of params.yaml"}
    Path("results/pets/data/train-0.json").write_bytes(b"other")
    assert "results/pets/data/train-0.json" in others()


def test_no_link_is_followed(work):
    put("outside/kept", "outside/train-0.zip")
    make("results/pets/data/train-0.json")
    Path("results/pets/link").symlink_to(work / "outside")
    Path("results/pets/seam").mkdir()
    Path("results/pets/seam/cam").symlink_to(work / "outside")
    Path("results/other").symlink_to(work / "results/shapes")
    remove(leftovers(), Memory().forget)
    assert Path("outside/kept").exists()
    assert Path("outside/train-0.zip").exists()
    assert Path("results/pets/seam/cam").is_symlink()
    assert not Path("results/pets/data").exists()
    assert set(PLANNED) <= files()


# What commits refer to


@pytest.fixture
def git(work):
    def run(*arguments: str) -> None:
        person = ("-c", "user.name=a person", "-c", "user.email=person@example.org")
        subprocess.run(["git", *person, *arguments], check=True, capture_output=True)

    run("init", "-q", "-b", "main")
    return run


def commit(git, out: str, *arguments: str) -> None:
    outs = f"    outs:\n    - path: {out}\n      hash: md5\n"
    Path("dvc.lock").write_text(f"stages:\n  walk:\n{outs}")
    git("add", "dvc.lock")
    git("commit", "-q", "-m", out)


def test_results_are_named_by_the_commits_of_all_branches(git):
    assert committed_results() == set()
    commit(git, "a/one.zip")
    git("checkout", "-q", "-b", "other")
    commit(git, "'b/it''s two.zip'")
    git("checkout", "-q", "main")
    assert committed_results() == {"a/one.zip", "b/it's two.zip"}


def test_a_version_that_a_merge_left_behind_still_counts(git):
    commit(git, "a/one.zip")
    git("checkout", "-q", "-b", "other")
    commit(git, "b/two.zip")
    git("checkout", "-q", "main")
    git("merge", "-q", "-s", "ours", "other", "-m", "merged")
    git("branch", "-D", "other")
    assert committed_results() == {"a/one.zip", "b/two.zip"}


def test_settings_of_git_and_a_damaged_version_change_nothing(git):
    commit(git, "a/one.zip")
    for setting in ("color.ui=always", "log.showSignature=true", "diff.noprefix=true"):
        git("config", *setting.split("="))
    Path("dvc.lock").write_text("<<<<<<< HEAD\n    - path: c/three.zip\n=======\n")
    git("commit", "-q", "-a", "-m", "broken")
    assert committed_results() == {"a/one.zip", "c/three.zip"}


def test_below_the_top_of_a_repository_its_own_lock_counts(git, monkeypatch):
    Path("project").mkdir()
    monkeypatch.chdir("project")
    commit(git, "a/one.zip")
    assert committed_results() == {"a/one.zip"}


@pytest.mark.parametrize("fault", ["no repository", "another owner", "no git"])
def test_where_git_does_not_answer_nothing_is_removed(work, monkeypatch, capsys, fault):
    make("results/pets/data/train-0.json")
    if fault == "another owner":
        subprocess.run(["git", "init", "-q"], check=True)
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    elif fault == "no git":
        monkeypatch.setenv("PATH", str(work))
    assert main(["clean", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "git cannot tell which results commits refer to: " in said
    assert {"no repository": "not a git repository", "another owner": "dubious ownership",
            "no git": "No such file"}[fault] in said  # fmt: skip
    assert Path("results/pets/data/train-0.json").exists()
    assert main(["clean", "--yes", "--without-git"]) == 0
    assert not Path("results/pets").exists()


# The command


def test_the_command_shows_first_and_removes_if_asked(git, capsys):
    make("results/pets/data/train-0.json")
    put("results/shapes/data/mine-7.json", "results/shapes/data/mine-8.json")
    assert main(["clean"]) == 0
    said = capsys.readouterr()
    first, left, *_ = said.out.splitlines()
    assert first.strip() == "15 bytes  results/pets  (no data set of params.yaml)"
    assert left.split(maxsplit=1) == [
        "left",
        "results/shapes/data/mine-7.json  (not made with these parameters, and no record says that "
        "it was made here)",
    ]
    assert "1 leftovers, 15 bytes: nothing removed; --yes removes them" in said.err
    assert Path("results/pets/data/train-0.json").exists()
    assert main(["clean", "--yes"]) == 0
    assert not Path("results/pets").exists()
    capsys.readouterr()
    assert main(["clean"]) == 0
    assert "nothing left over" in capsys.readouterr().err


def test_nothing_is_removed_beside_a_run(git, capsys):
    make("results/pets/data/train-0.json")
    with at_work("run"):
        assert main(["clean", "--yes"]) == 1
    assert "a run is at work in this folder" in capsys.readouterr().err
    assert Path("results/pets/data/train-0.json").exists()
    # The mark of a process that was killed keeps nobody out.
    (MARKS / f"run@{process_mark(os.getpid())}9").touch()
    assert main(["clean", "--yes"]) == 0
    assert not Path("results/pets").exists()
