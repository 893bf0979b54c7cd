"""``hfpl dvc``: mistakes are one line, and leave nothing behind."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.cli import main
from hfpl.params.active import JOBS
from hfpl.params.load import load_params
from hfpl.params.presets import preset_text
from hfpl.provenance import job_key


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(preset_text("micro"), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "action", [["write"], ["run", "walk"], ["commit"], ["restore"]], ids=" ".join
)
def test_without_the_rules_there_is_nothing_to_declare(folder, capsys, action):
    assert main(["dvc", *action]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hfpl dvc {action[0]}: error: no plan: ")
    assert "Snakefile" in line
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("action", ["pull", "push"])
def test_without_a_repository_there_is_nothing_to_share(folder, capsys, action):
    assert main(["dvc", action]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"hfpl dvc {action}: error: ")
    assert "dvc" in line.removeprefix(f"hfpl dvc {action}: error: ").lower()


def test_the_code_of_every_job_has_its_digest(folder):
    assert main(["dvc", "code"]) == 0
    found = YAML(typ="safe", pure=True).load((folder / "code.yaml").read_text())
    params = load_params(folder / "params.yaml")
    assert found == {job: job_key(params, job)["code"] for job in JOBS}
