"""The wheel: the losses work in an environment that holds nothing of the pipeline, and with its
packages the workflow runs in a folder of one's own."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.exports.test_onnx import make_model

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
LABELS = """
import sys
from hfpl import Segmenter

if __name__ == "__main__":
    print(Segmenter.load(sys.argv[1])("photo.jpg").labels.shape)
"""


def run(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, repository)
    (wheel,) = folder.glob("hfpl-*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory) -> Path:
    """Interpreter of an environment that the wheel alone was installed into."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    return folder / "bin" / "python"


def test_the_wheel_brings_the_losses_alone(wheel: Path, python: Path, tmp_path: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"hfpl/code.yaml", "hfpl/params/presets/demo.yaml"} <= set(names)
    assert {"hfpl/workflow/Snakefile", "hfpl/workflow/profiles/default/config.yaml"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(
        name.startswith(("tests/", "workflow/", "benchmarks/", "studies/")) for name in names
    )
    # Outside of the checkout, so that its packages are not found by the working directory.
    done = subprocess.run([python, "-c", SCRIPT], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "works"


def test_a_trained_network_labels_photographs_with_few_packages(
    repository: Path, wheel: Path, python: Path, tmp_path: Path
):
    failed = subprocess.run(
        [python, "-c", "from hfpl import Segmenter"], cwd=tmp_path, text=True, capture_output=True
    )
    assert 'pip install "hfpl[segmenter]"' in failed.stderr
    pins = repository / "requirements.txt"
    run(python, "-m", "pip", "install", "--quiet", "-c", pins, f"{wheel}[segmenter]")
    model = make_model("micro", tmp_path)
    Image.new("RGB", (90, 70), (200, 30, 30)).save(tmp_path / "photo.jpg")
    done = subprocess.run(
        [python, "-c", LABELS, model], cwd=tmp_path, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["(70,", "90)"]


def test_outside_a_checkout_the_workflow_runs(
    repository: Path, wheel: Path, python: Path, tmp_path: Path
):
    pins = repository / "requirements.txt"
    run(python, "-m", "pip", "install", "--quiet", "-c", pins, f"{wheel}[pipeline]")
    for command in ("hfpl init micro", "snakemake --cores all"):
        name, *arguments = command.split()
        done = subprocess.run(
            [python.parent / name, *arguments], cwd=tmp_path, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("results/*/*/evaluate/table.csv"))) == 1
    made = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert made == {"Snakefile", "params.yaml", "profiles", "results"}
