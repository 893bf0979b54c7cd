"""A model as ONNX: run where there is no torch, it finds what torch finds."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from torch import nn

from hfpl import Segmenter
from hfpl.exports.onnx import write_onnx
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.stages.segment.model import write_model
from hfpl.stages.segment.train import build_deeplab
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.tensors import save_network

CLASSES = ("cat", "dog, small", "ünicorn")


def make_model(preset: str, folder: Path) -> Path:
    """A model of a preset's network, of random weights, that finds several classes."""
    params = validate_params(
        YAML(typ="safe", pure=True).load(preset_text(preset, ["segment.test.scales=[1.0]"]))
    )
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = build_deeplab(backbone, len(CLASSES), params.segment.head)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    manifest = Manifest("test", "train", CLASSES, (ImageRecord("a", "a.png", 500, 30, (), ""),))
    write_manifest(folder / "train-0.json", manifest)
    save_network(folder / "network.safetensors", network)
    files = {"network": folder / "network.safetensors", "model": folder / f"{preset}.safetensors"}
    settings = JOBS["segment_model"].settings(params)
    write_model(settings, manifests=[folder / "train-0.json"], **files)
    return files["model"]


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="it is installed")
def test_without_its_packages_the_message_says_which(tmp_path):
    with pytest.raises(ValueError, match=r"not installed \(onnx, onnxscript\).*requirements-onnx"):
        write_onnx(make_model("micro", tmp_path), tmp_path / "y")


RUN = """
import json, sys
import numpy as np
import onnxruntime
assert not {"torch", "hfpl"} & set(sys.modules)
for preset in ("micro", "folder"):
    session = onnxruntime.InferenceSession(f"{preset}.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    print(json.dumps([json.loads(facts["classes"]), int(facts["long_side"])]))
    for k in range(4):
        photograph = np.load(f"{k}.npy")
        (scores,) = session.run(None, {"photograph": photograph})
        np.save(f"{preset}-{k}.npy", scores)
"""


@pytest.mark.slow
def test_labels_are_torch_s_at_any_size_without_torch(tmp_path, repository):
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    packages = ["--no-deps", "--target", tmp_path / "packages"]
    pins = repository / "requirements-onnx.txt"
    subprocess.run([sys.executable, *pip, *packages, "-r", pins], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    empty = tmp_path / "empty" / "bin" / "python"
    subprocess.run([empty, *pip, "onnxruntime==1.32.0"], check=True)

    models = {preset: make_model(preset, tmp_path) for preset in ("micro", "folder")}
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'packages'}"}
    for preset, model in models.items():
        out = tmp_path / f"{preset}.onnx"
        command = ["-m", "hfpl.cli", "segment", "onnx", "--model", model, "--out", out]
        subprocess.run([sys.executable, *command], check=True, env=environment)
    rng = np.random.default_rng(0)
    sizes = ((120, 173), (64, 64), (375, 500), (33, 20))
    photographs = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    for k, photograph in enumerate(photographs):
        np.save(tmp_path / f"{k}.npy", photograph)
    done = subprocess.run([empty, "-c", RUN], cwd=tmp_path, capture_output=True, text=True,
                          check=False, env={"PATH": os.environ["PATH"]})  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    expected = [["background", *CLASSES], 500]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [expected] * 2
    for preset, model in models.items():
        segmenter = Segmenter.load(model, crf=False, device="cpu")
        for k, photograph in enumerate(photographs):
            found = np.load(tmp_path / f"{preset}-{k}.npy")
            torch_s = segmenter(photograph)
            np.testing.assert_allclose(found, torch_s.scores, atol=1e-4)
            assert (found.argmax(0) == torch_s.labels).mean() > 0.999
            assert len(np.unique(torch_s.labels)) > 1
