"""A failure of DVC in one line, in DVC's own words."""

import subprocess

import pytest

from hfpl.versioning.dvc import reason_of, run_dvc


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with git, DVC and one committed output."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    run_dvc("init")
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: echo\n    outs: [x]\n")
    (tmp_path / "x").write_text("1")
    run_dvc("commit", "--quiet", "--force")
    return tmp_path


def test_a_conflict_is_named_with_its_file(project):
    (project / "dvc.lock").write_text("schema: '2.0'\nstages:\n<<<<<<< a\n  x: 1\n=======\n")
    with pytest.raises(ValueError, match=r"dvc\.lock' is invalid \(possible merge conflicts\)"):
        run_dvc("push", "--run-cache")


def test_files_that_are_not_saved_are_named(project):
    (project / "x").write_text("2")
    with pytest.raises(ValueError, match=r"Can't remove the following unsaved files .*/x$"):
        run_dvc("checkout")


def test_a_missing_remote_is_said_in_dvc_s_words(project):
    with pytest.raises(ValueError, match="no remote specified .* dvc remote add -d"):
        run_dvc("push")


def test_a_folder_without_a_repository_is_said_in_dvc_s_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="you are not inside of a DVC repository"):
        run_dvc("status")


def test_of_many_lines_the_first_reason_and_the_summary_are_told():
    lines = ["ERROR: first", "  more of it", "WARNING: aside", "ERROR: second", "ERROR: failed"]
    assert reason_of(lines) == "first more of it; failed"
    assert reason_of(["WARNING: skipping", "'x' is invalid"]) == "skipping 'x' is invalid"
    assert reason_of([]) == ""
    assert len(reason_of(["ERROR: files"] + ["name"] * 1000)) == 400
