"""Pull and push with a real DVC: all results or none, and mistakes in one line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hfpl.cli import main
from hfpl.versioning.dvc import run_dvc
from hfpl.versioning.objects import absent, locked_objects
from hfpl.versioning.sharing import pull, push

DECLARED = """stages:
  make:
    cmd: sh make.sh
    deps: [source.txt]
    outs:
      - results/one
      - results/two
      - results/kept: {push: false}
      - noted.yaml: {cache: false}
"""
MAKE = """mkdir -p results
for name in one two kept; do (cat source.txt; echo $name) > results/$name; done
cp source.txt noted.yaml
"""


def start_repository(folder: Path) -> None:
    folder.mkdir()
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "source.txt").write_text("first\n")
    (folder / "make.sh").write_text(MAKE)
    (folder / "dvc.yaml").write_text(DECLARED)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A repository with results, which it has pushed to a folder."""
    folder = tmp_path_factory.mktemp("sharing")
    here = os.getcwd()
    start_repository(folder / "made")
    os.chdir(folder / "made")
    try:
        run_dvc("init")
        run_dvc("config", "core.analytics", "false")
        run_dvc("remote", "add", "-d", "store", str(folder / "remote"))
        run_dvc("repro")
        push()
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch) -> Path:
    """Another repository of the same version, without results, with a remote of its own."""
    ignored = shutil.ignore_patterns("cache", "tmp", "results")
    shutil.copytree(made / "made", tmp_path / "work", ignore=ignored)
    shutil.copytree(made / "remote", tmp_path / "remote")
    monkeypatch.chdir(tmp_path / "work")
    run_dvc("remote", "modify", "store", "url", str(tmp_path / "remote"))
    return tmp_path / "work"


def object_of(path: str) -> str:
    (found,) = (found for found in locked_objects() if found.path == path)
    return found.name


def contents() -> dict[str, str]:
    files = [*Path("results").glob("*"), Path("noted.yaml")]
    return {file.name: file.read_text() for file in files}


def test_what_was_pushed_comes_and_what_is_kept_elsewhere_is_counted(work):
    assert pull() == (
        "2 results are those of dvc.lock; 1 more are kept where they were made: a run makes them "
        "again where it needs them, 'hfpl dvc restore' makes them alone"
    )
    assert contents() == {"one": "first\none\n", "two": "first\ntwo\n", "noted.yaml": "first\n"}


def test_what_the_cache_holds_is_not_asked_of_a_remote(work, tmp_path):
    pull()
    shutil.rmtree(tmp_path / "remote")
    Path("results/one").unlink()
    pull()
    assert contents()["one"] == "first\none\n"


def test_an_object_that_the_remote_lacks_leaves_the_work_tree_as_it_was(work, tmp_path):
    (tmp_path / "remote" / object_of("results/two")).unlink()
    message = r"^results/two: not, or not whole, in remote 'store' \(.*\); .* 'hfpl dvc push'"
    with pytest.raises(ValueError, match=message):
        pull()
    assert contents() == {"noted.yaml": "first\n"}


def test_a_damaged_object_leaves_the_work_tree_as_it_was(work, tmp_path, capsys):
    name = object_of("results/two")
    file = tmp_path / "remote" / name
    file.chmod(0o644)
    file.write_text("first\ntow\n")
    assert main(["dvc", "pull", "--remote", "store"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    # DVC has removed it there.
    assert line.startswith("hfpl dvc pull: error: results/two: not, or not whole, in remote")
    assert contents() == {"noted.yaml": "first\n"}


def test_without_a_remote_nothing_is_called_damaged(work):
    run_dvc("remote", "remove", "store")
    with pytest.raises(ValueError, match=r"^no remote is configured; .* dvc remote add -d"):
        pull()
    assert contents() == {"noted.yaml": "first\n"}


def test_a_folder_that_is_not_there_is_named(work, tmp_path):
    shutil.rmtree(tmp_path / "remote")
    with pytest.raises(ValueError, match=r"^remote 'store': .*/remote: no such folder"):
        pull()


def test_push_says_what_it_cannot_send(work):
    pull()
    assert "hfpl dvc commit" not in push()
    Path("results/one").unlink()
    Path("results/one").write_text("a later run")
    assert "; 1 result here is not that of dvc.lock: 'hfpl dvc commit' first" in push()


def test_both_sides_of_a_merge_are_no_version(work):
    lock = Path("dvc.lock")
    whole = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{whole}=======\n{whole}>>>>>>> theirs\n")
    with pytest.raises(ValueError, match=r"^dvc\.lock: two versions .*git checkout --ours"):
        pull()


def test_damage_in_the_cache_is_mended_from_the_remote(work):
    pull()
    file = Path(".dvc/cache") / object_of("results/one")
    file.chmod(0o644)
    file.write_text("something else")
    file.chmod(0o444)  # what DVC trusts
    Path("results/one").unlink()
    pull()
    assert contents()["one"] == "first\none\n"


def test_a_remote_that_is_down_is_one_line(work, capsys, monkeypatch):
    run_dvc("remote", "modify", "store", "url", "s3://bucket/results")
    run_dvc("remote", "modify", "store", "endpointurl", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert main(["dvc", "pull"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hfpl dvc pull: error: failed to connect to s3 (bucket/results")
    assert "http://127.0.0.1:9" in line
    assert contents() == {"noted.yaml": "first\n"}


def test_results_that_no_version_holds_are_replaced_only_if_asked(work, capsys):
    pull()
    Path("results/one").unlink()
    Path("results/one").write_text("hours of work")
    assert main(["dvc", "pull"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "'hfpl dvc commit' keeps them, 'hfpl dvc pull --force' replaces them" in line
    assert "results/one" in line
    assert contents()["one"] == "hours of work"
    pull(force=True)
    assert contents()["one"] == "first\none\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_remote_that_is_full_is_one_line_and_a_later_push_sends_the_rest(made, work, tmp_path):
    pull()
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(full)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        run_dvc("remote", "modify", "store", "url", str(full))
        with pytest.raises(ValueError, match=r"No space left on device.*; failed to push") as error:
            push()
        assert "\n" not in str(error.value)
        subprocess.run(["mount", "-o", "remount,size=1m", str(full)], check=True)
        push()
        wanted = [found for found in locked_objects() if found.pushed]
        assert absent(wanted, full) == []
    finally:
        subprocess.run(["umount", str(full)], check=True)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("dvc.lock", None, r"^dvc\.lock: not there"),
        ("dvc.lock", "{", r"^dvc\.lock: not a file of DVC's"),
        ("dvc.yaml", "stages", r"^dvc\.yaml: not a file of DVC's"),
    ],
)
def test_a_version_that_cannot_be_read_is_named(work, file, content, message):
    if content is None:
        Path(file).unlink()
    else:
        Path(file).write_text(content)
    with pytest.raises(ValueError, match=message):
        pull()
