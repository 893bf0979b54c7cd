"""What docs/extend.md says to do to keep a method in the repository leaves its tests green."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hfpl.sections.plugins import plugin_names
from tests.extend.page import example, run_commands, run_python

pytestmark = pytest.mark.slow
SAID = {
    "methods: [seam, cam, puzzle, ppc]": "methods: [seam, cam, puzzle, ppc, peak]",
    "\n  methods:\n    seam:": "\n  methods:\n    peak: {sharpness: 4.0}\n    seam:",
    "background_score: {seam: 0.25,": "background_score: {peak: 0.25, seam: 0.25,",
}
"""In the preset of the paper: the method's name, its options, its threshold."""
TESTS = ["tests/params", "tests/jobs", "tests/methods/test_backbones.py"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory, repository: Path) -> Path:
    """A clone with the page's method, kept as the page says."""
    folder = tmp_path_factory.mktemp("kept") / "hfpl"
    subprocess.run(["git", "clone", "-q", str(repository), str(folder)], check=True)
    # What is not committed yet counts too.
    for part in ("hfpl", "tests", "docs"):
        shutil.copytree(repository / part, folder / part, dirs_exist_ok=True)
    for file in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(repository / file, folder / file)
    code, _ = example(repository, "A CAM method")
    (folder / "hfpl" / "plugins" / "methods" / "peak.py").write_text(code, encoding="utf-8")
    preset = folder / "hfpl" / "params" / "presets" / "paper.yaml"
    text = preset.read_text(encoding="utf-8")
    for before, after in SAID.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    preset.write_text(text, encoding="utf-8")
    run_commands(
        folder,
        [["code", "--raise", "methods/peak"], ["params", "demo", "--out", "params.yaml"]],
    )
    return folder


def test_the_project_s_own_tests_pass_with_it(kept):
    done, _ = run_python(kept, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, "-rs")
    assert " failed" not in done
    assert "no preset has its options" not in done


def test_it_is_trained_on_every_backbone(kept):
    assert "peak" not in plugin_names("hfpl.plugins.methods")
    done, _ = run_python(kept, "-m", "pytest", "-v", TESTS[-1], "-k", "peak")
    assert done.count("peak] PASSED") == 4


def test_its_version_is_recorded(kept):
    assert "methods/peak:" in (kept / "hfpl" / "code.yaml").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "hfpl/plugins/methods/peak.py"]
    assert subprocess.run(command, cwd=kept, check=False).returncode == 0
