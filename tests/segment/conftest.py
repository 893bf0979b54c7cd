"""A model of random weights that finds several classes."""

import pytest
import torch
from ruamel.yaml import YAML
from torch import nn

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.stages.segment.model import write_model
from hfpl.stages.segment.train import build_deeplab
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.tensors import save_network

CLASSES = ("cat", "dog, small", "ünicorn")


@pytest.fixture(scope="module")
def params():
    return validate_params(YAML(typ="safe").load(preset_text("micro")))


@pytest.fixture(scope="module")
def model(params, tmp_path_factory):
    """A network of random weights that finds several classes, trained on 48-pixel images."""
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    network = build_deeplab(backbone, len(CLASSES), params.segment.head)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    record = ImageRecord("a", "a.png", 48, 30, (), "")
    manifest = Manifest("test", "train", CLASSES, (record,))
    folder = tmp_path_factory.mktemp("model")
    write_manifest(folder / "train-0.json", manifest)
    save_network(folder / "network.safetensors", network)
    write_model(
        JOBS["segment_model"].settings(params),
        manifests=[folder / "train-0.json"],
        network=folder / "network.safetensors",
        model=folder / "model.safetensors",
    )
    return folder / "model.safetensors"
