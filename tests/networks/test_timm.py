"""Networks of timm: without the library one line; with it, in an environment of its own, a run."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hfpl.plugins.backbones import build_backbone
from hfpl.storage.shards import Shard

OPTIONS = {"model": "vit_tiny_patch16_224", "stride": 16}


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
for name, stride, width, maps in (("vit_tiny_patch16_224", 16, 192, [5, 8, 11]),
                                  ("resnet18", 32, 512, [1, 2, 3, 4]),
                                  ("resnet18", 16, 512, [1, 2, 3, 4]),
                                  ("resnet18", 8, 512, [1, 2, 3, 4]),
                                  ("efficientnet_lite0", 16, 320, [1, 2, 3, 4]),
                                  ("convnext_tiny", 16, 768, [0, 1, 2, 3])):
    backbone = build_backbone("timm", {"model": name, "stride": stride}).eval()
    assert (backbone.stride, backbone.channels["conv6"]) == (stride, width), name
    assert [number for number, _, _ in backbone.maps.values()] == maps, (name, backbone.maps)
    config = timm.create_model(name).pretrained_cfg
    assert backbone.statistics.mean == tuple(config["mean"])
    for sides in ((224, 224), (100, 71)):
        with torch.no_grad():
            found = backbone(torch.randn(1, 3, *sides))
        cells = tuple(-(-side // stride) for side in sides)
        assert {m.shape[2:] for n, m in found.items() if n != "conv3"} == {torch.Size(cells)}, name
        if "conv3" in found:
            assert found["conv3"].shape[2] == cells[0] * stride // 4, name
    # A file of timm's own names, classifier included, loads whole.
    other = timm.create_model(name)
    torch.save(other.state_dict(), "net.pth")
    match = load_weights("net.pth", backbone)
    assert not match.missing and not match.reshaped, match
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        # What timm itself calls the features of this stride.
        more = {} if name.startswith("vit") else {"output_stride": stride}
        theirs = timm.create_model(name, features_only=True, **more).eval()
        theirs.load_state_dict(
            dict(zip(theirs.state_dict(), other.state_dict().values())), strict=False
        ) if name.startswith("resnet") else None
        if name.startswith("resnet"):
            torch.testing.assert_close(backbone(x)["conv6"], theirs(x)[-1])
        if name.startswith("vit"):  # its intermediate results stand before the last norm
            expected = other.eval().forward_intermediates(x, indices=[11], output_fmt="NCHW",
                                                          intermediates_only=True)[0]
            torch.testing.assert_close(backbone(x)["conv6"], expected)
    assert bool(backbone.fixed_norms()) == name.startswith(("resnet", "eff")), name
for wrong in ({"model": "vit_tinny", "stride": 16}, {"model": "vit_tiny_patch16_224", "stride": 8}):
    try:
        build_backbone("timm", wrong)
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
    assert lines[0].startswith("network.options.model: timm has no network 'vit_tinny'; it has ")
    assert lines[1] == (
        "network.options.stride: timm's 'vit_tiny_patch16_224' cannot have a stride of 8"
    )


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


class Hub(BaseHTTPRequestHandler):
    """One file, as the hub of timm's weights answers for it."""

    content = b""
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self, send: bool = False) -> None:
        self.asked.append(f"{self.command} {self.path}")
        there = self.path.endswith("/resolve/main/model.safetensors")
        self.send_response(200 if there else 404)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("Content-Length", str(len(self.content) if there else 0))
        self.end_headers()
        if send and there:
            self.wfile.write(self.content)

    def do_GET(self) -> None:
        self.do_HEAD(send=True)


@pytest.mark.slow
def test_weights_come_from_the_hub(environment, tmp_path):
    """The hub itself is out of reach: here it is a server on this machine, with other numbers."""
    script = (
        "import timm, torch; from safetensors.torch import save_file; torch.manual_seed(3); "
        "save_file(timm.create_model('resnet18').state_dict(), 'there.safetensors')"
    )
    subprocess.run([environment, "-c", script], check=True, cwd=tmp_path)
    Hub.content = (tmp_path / "there.safetensors").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "hub"),
        "no_proxy": "127.0.0.1",
    }
    fetch = [environment, "-m", "hfpl.cli.launcher", "0", "weights", "fetch", "timm"]
    done = subprocess.run(
        [*fetch, "--model", "resnet18"], cwd=tmp_path, env=given, capture_output=True, text=True
    )
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "data/timm-resnet18.safetensors, SHA-256 " in done.stderr
    assert any(line.startswith("GET /timm/resnet18") for line in Hub.asked)
    compare = (
        "from safetensors.torch import load_file; a, b = load_file('there.safetensors'), "
        "load_file('data/timm-resnet18.safetensors'); assert a.keys() == b.keys(); "
        "assert all((a[k] == b[k]).all() for k in a)"
    )
    subprocess.run([environment, "-c", compare], check=True, cwd=tmp_path)
    done = subprocess.run(
        [*fetch, "--model", "resnet18x"], cwd=tmp_path, env=given, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "weights of timm's 'resnet18x' cannot be had: " in done.stderr
    assert "Traceback" not in done.stderr
