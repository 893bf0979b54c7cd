"""Studies are no part of CI; that they can be asked how they are run is."""

import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = (
    "operations",
    "parts",
    "photographs",
    "retraining",
    "scale",
    "stages",
    "storage",
    "versions",
)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_says_how_it_is_run(repository: Path, study):
    done = subprocess.run(
        [sys.executable, "-m", f"studies.{study}", "--help"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_every_study_has_its_page(repository: Path):
    listed = (repository / "studies" / "README.md").read_text(encoding="utf-8")
    found = {path.stem for path in (repository / "studies").glob("[!_]*") if path.suffix != ".md"}
    assert found - {""} == set(STUDIES)
    assert all(f"`studies.{name}`" in listed for name in STUDIES)
