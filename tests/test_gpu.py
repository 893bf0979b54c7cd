"""The script for machines with a GPU, whole and in miniature on this one."""

import json

import numpy as np
import pytest
from PIL import Image

from scripts.gpu.__main__ import main
from scripts.gpu.agreement import TOLERANCE, _error

pytestmark = pytest.mark.slow


@pytest.fixture
def photographs(tmp_path):
    """A folder of pictures of two colours, with tags and masks."""
    root = tmp_path / "photographs"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    lines = ["file,tags,split"]
    for number in range(6):
        rng, label = np.random.default_rng(number), 1 + number % 2
        pixels = rng.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), np.uint8)
        mask[20:70, 20:70] = label
        pixels[mask > 0, label] += 150
        Image.fromarray(pixels).save(root / "images" / f"{number}.jpg")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
        lines.append(f"{number}.jpg,{('cat', 'dog')[label - 1]},{'val' if number > 3 else 'train'}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_everything_runs_and_agrees_with_itself(tmp_path, photographs):
    out = tmp_path / "gpu.json"
    given = ["--miniature", "--device", "cpu", "--minutes", "60"]
    assert main([*given, "--out", str(out), "--photographs", str(photographs)]) == 0
    found = json.loads(out.read_text())
    assert found["left out"] == []
    assert len(found["agreement"]) == 8  # seven parts, and the features of one backbone
    for row in found["agreement"]:
        assert row["float32 error"] <= TOLERANCE
        assert row["agrees"]
    # Half precision is another computation, and not a wrong one.
    halves = {row["part"]: row["bfloat16 error"] for row in found["agreement"]}
    assert 0 < halves["CAM training step"] < 0.3
    for name in ("paper's training step", "EfficientNet-Lite's training step"):
        assert [row["numbers"] for row in found[name]] == ["float32", "bfloat16 autocast"]
        assert all(row["images per second"] > 0 for row in found[name])
    run = found["trainings, seam-isl-fsl"]
    assert run["photographs"] == {"train": 4, "val": 2}
    assert set(run["scores of val"]) == {"cam, best threshold", "walk", "segment"}
    assert all(seconds > 0 for seconds in run["seconds"].values())
    # The preset's background powers are meant for calibrated CAMs.
    assert list(run["seconds"])[2:4] == ["cam infer", "cam calibrate"]


def test_what_does_not_fit_is_said(tmp_path, capsys):
    out = tmp_path / "gpu.json"
    assert main(["--miniature", "--device", "cpu", "--minutes", "-1", "--out", str(out)]) == 0
    left = json.loads(out.read_text())["left out"]
    assert left == ["agreement", "paper's training step", "EfficientNet-Lite's training step"]
    assert f"left out: {', '.join(left)}" in capsys.readouterr().out


def test_an_error_is_a_share_of_the_largest_value():
    import torch

    exact = {"a": torch.tensor([1.0, -4.0]), "b": torch.tensor([100.0])}
    found = {"a": torch.tensor([1.0, -3.9]), "b": torch.tensor([100.0])}
    assert _error(found, exact) == pytest.approx(0.025)
