"""``hfpl dvc``: mistakes are one line, and leave nothing behind."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.cli import main
from hfpl.params.load import load_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(preset_text("micro"), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "action", [["write"], ["run", "walk"], ["commit"], ["restore"]], ids=" ".join
)
def test_without_parameters_there_is_nothing_to_declare(folder, capsys, action):
    (folder / "params.yaml").write_text("dataset: 3\n", encoding="utf-8")
    assert main(["dvc", *action]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"hfpl dvc {action[0]}: error: ")
    assert sorted(path.name for path in folder.iterdir()) == ["params.yaml"]


def test_a_declaration_of_other_parameters_is_not_run(folder, capsys):
    assert main(["dvc", "write"]) == 0
    (folder / "params.yaml").write_text(preset_text("micro", ["shards=3"]), encoding="utf-8")
    capsys.readouterr()
    assert main(["dvc", "run", "walk"]) == 1
    said = capsys.readouterr().err
    assert "dvc.yaml: does not fit params.yaml and the jobs; run 'hfpl dvc write'" in said


@pytest.mark.parametrize("action", ["pull", "push"])
def test_without_a_repository_there_is_nothing_to_share(folder, capsys, action):
    assert main(["dvc", action]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hfpl dvc {action}: error: ")
    assert "dvc" in line.removeprefix(f"hfpl dvc {action}: error: ").lower()


def test_the_code_of_every_job_has_its_version(folder):
    assert main(["dvc", "code"]) == 0
    found = YAML(typ="safe", pure=True).load((folder / "versions.yaml").read_text())
    params = load_params(folder / "params.yaml")
    jobs = {name: job for name, job in JOBS.items() if job.when(params)}
    assert found == {name: job.key(params)["code"] for name, job in jobs.items()}
