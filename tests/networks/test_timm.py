"""Networks of timm: without the library one line; with it, in an environment of its own, a run."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

from hfpl.plugins.backbones import build_backbone
from hfpl.storage.shards import Shard

OPTIONS = {"name": "vit_tiny_patch16_224", "maps": [5, 8, 11], "fixed_norms": False}


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed")
def test_without_the_library_the_message_says_where_it_is_explained():
    with pytest.raises(ValueError, match=r"'timm' needs the library timm, .*docs/weights\.md"):
        build_backbone("timm", OPTIONS)


@pytest.fixture(scope="module")
def environment(tmp_path_factory, repository):
    """Interpreter of an environment as requirements-timm.txt says; minutes and gigabytes.

    HFPL_TIMM_PYTHON names one that is there already.
    """
    given = os.environ.get("HFPL_TIMM_PYTHON")
    if given:
        yield given
        return
    folder = tmp_path_factory.mktemp("timm")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    pins = (repository / "requirements.txt").read_text().splitlines()
    others = folder / "others.txt"
    others.write_text("\n".join(p for p in pins if not p.startswith(("#", "torch=="))))
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for arguments in (
        ["-r", repository / "requirements-timm.txt"],
        ["-r", others],
        ["--no-deps", "-e", repository],
    ):
        subprocess.run([*pip, *arguments], check=True, cwd=folder)
    yield str(python)
    shutil.rmtree(folder)


CHECK = """
import numpy as np, timm, torch
from hfpl.networks.weights.match import load_weights
from hfpl.plugins.backbones import build_backbone

torch.manual_seed(0)
for name, maps, stride, width in (("vit_tiny_patch16_224", [5, 8, 11], 16, 192),
                                  ("resnet18", [2, 3, 4], 32, 512)):
    backbone = build_backbone("timm", {"name": name, "maps": maps, "fixed_norms": True}).eval()
    assert (backbone.stride, backbone.channels["conv6"]) == (stride, width)
    config = timm.create_model(name).pretrained_cfg
    assert backbone.statistics.mean == tuple(config["mean"])
    for sides in ((224, 224), (100, 71)):
        with torch.no_grad():
            found = backbone(torch.randn(1, 3, *sides))
        cells = tuple(-(-side // stride) for side in sides)
        assert {m.shape[2:] for m in found.values()} == {torch.Size(cells)}, name
    # A file of timm's own names, classifier included, loads whole.
    other = timm.create_model(name)
    torch.save(other.state_dict(), "net.pth")
    match = load_weights("net.pth", backbone)
    assert not match.missing and not match.reshaped, match
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = other.eval().forward_features(x)
        if name.startswith("vit"):  # its intermediate results stand before the last norm
            expected = other.eval().forward_intermediates(x, indices=[11], output_fmt="NCHW",
                                                          intermediates_only=True)[0]
        torch.testing.assert_close(backbone(x)["conv6"], expected)
for wrong in ({"name": "vit_tinny", "maps": [1, 2, 3]}, {"name": "resnet18", "maps": [1]}):
    try:
        build_backbone("timm", {**wrong, "fixed_norms": True})
    except ValueError as error:
        print(error)
"""


@pytest.mark.slow
def test_networks_have_the_maps_and_take_the_files_of_timm(environment, tmp_path, repository):
    done = subprocess.run(
        [environment, "-c", CHECK], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("network.options.name: timm has no network 'vit_tinny'; it has ")
    assert lines[1] == "network.options.maps: expected three numbers, found [1]"


@pytest.mark.slow
def test_a_transformer_trains_and_infers_with_cam(environment, tmp_path, repository):
    """The pipeline's own rules, on the pictures of the preset micro."""
    settings = [
        "variant=cam",
        "network.backbone=timm",
        f"network.options={json.dumps(OPTIONS)}",
        "network.weights=none",
    ]
    words = [word for setting in settings for word in ("--set", setting)]
    hfpl = [environment, "-m", "hfpl.cli.launcher", "0"]
    subprocess.run([*hfpl, "params", "micro", *words], check=True, cwd=tmp_path)
    cams = [f"results/shapes/cam/cam/{split}-{n}.zip" for split in ("train", "val") for n in (0, 1)]
    command = [environment, "-m", "snakemake", "-s", repository / "workflow" / "Snakefile"]
    done = subprocess.run(
        [*command, "--cores", "2", "--", *cams],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shard = Shard(tmp_path / cams[2])
    assert shard.ids
