"""The wheel alone: the losses work in an environment that holds nothing of the pipeline."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import importlib.util, torch
from hfpl.losses import class_activations, feature_similarity_loss, importance_sampling_loss
missing = ("snakemake", "dvc", "cv2", "pydantic", "pydensecrf", "pandas")
assert not any(map(importlib.util.find_spec, missing))
scores = torch.randn(2, 3, 8, 8, requires_grad=True)
labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
loss = importance_sampling_loss(scores, labels)
loss = loss + feature_similarity_loss(torch.rand(2, 3, 8, 8), class_activations(scores, labels))
loss.backward()
assert torch.isfinite(scores.grad).all()
print("works")
"""


def run(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_brings_the_losses_alone(repository: Path, tmp_path: Path):
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, repository)
    (wheel,) = tmp_path.glob("hfpl-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"hfpl/code.yaml", "hfpl/params/presets/demo.yaml"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(
        name.startswith(("tests/", "workflow/", "benchmarks/", "studies/")) for name in names
    )

    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    # Outside of the checkout, so that its packages are not found by the working directory.
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [python, "-c", SCRIPT], cwd=tmp_path / "elsewhere", text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "works"
