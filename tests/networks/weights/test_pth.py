"""Files of torch.save: state dicts in their usual wrappings; nothing else is taken, or run."""

import collections
import io
import os
import pickle
import zipfile

import pytest
import torch

from hfpl.networks.weights.match import prefix_of
from hfpl.networks.weights.reading import read_weights
from hfpl.params.presets import preset_text
from hfpl.sections.network import WEIGHT_ENDINGS

TENSORS = {"conv1.weight": torch.arange(6.0).reshape(2, 3), "bn1.running_var": torch.ones(4)}


def assert_read(path, expected=TENSORS):
    found = read_weights(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "network"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dicts_are_read_however_they_were_saved(tmp_path, zipped, wrapper, prefix):
    content = collections.OrderedDict((prefix + name, t) for name, t in TENSORS.items())
    if wrapper:
        content = {wrapper: content, "epoch": 3, "optimizer": {"state": {0: torch.ones(2)}}}
    path = tmp_path / "net.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    before = f"{wrapper}.{prefix}" if wrapper else prefix
    names = {f"{before}{name}": t for name, t in TENSORS.items()}
    rest = {"optimizer.state.0": torch.ones(2)} if wrapper else {}
    assert_read(path, names | rest)
    assert prefix_of(read_weights(path), TENSORS) == before


@pytest.mark.parametrize("name", ["net.ckpt", "net.bin", "net.pth.tar", "net.params", "net"])
def test_the_content_tells_the_format_and_not_the_name(tmp_path, name):
    torch.save(TENSORS, tmp_path / name)
    assert_read(tmp_path / name)


@pytest.mark.parametrize(
    "before",
    [
        "_orig_mod.",
        "module.module.",
        "state_dict.model.",
        "state.net._orig_mod.module.",
        "a.b.c.d.",
    ],
)
def test_what_stands_before_the_names_is_found_by_the_names(before):
    names = [f"{before}{name}" for name in TENSORS] + ["optimizer.state.0.exp_avg", "epoch"]
    assert prefix_of(names, TENSORS) == before


def test_of_two_copies_of_a_network_the_first_with_the_shorter_name_is_taken():
    names = [f"{p}{n}" for p in ("model_ema.", "model.") for n in TENSORS]
    assert prefix_of(names, TENSORS) == "model."
    assert prefix_of([f"{p}{n}" for p in ("b.", "a.") for n in TENSORS], TENSORS) == "b."
    assert prefix_of(["x", "y.z"], TENSORS) == ""


def test_what_is_no_tensor_is_left_out(tmp_path):
    torch.save({**TENSORS, "iteration": 7, "name": "net"}, tmp_path / "net.pt")
    assert_read(tmp_path / "net.pt")


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_are_refused_and_nothing_of_them_runs(tmp_path, zipped):
    path = tmp_path / "net.pth"
    content = {**TENSORS, "extra": Harmful(tmp_path / "made")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"net\.pth: holds Python objects") as error:
        read_weights(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "made").exists()


def test_a_whole_network_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"save the network's state_dict\(\) alone"):
        read_weights(tmp_path / "net.pth")


def saved(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "text")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x03\x04", b"<html>not found</html>", bytes(1000), other_zip(),
        pickle.dumps([1, 2]), *(saved(z)[: int(len(saved(z)) * share)]
                                for z in (True, False) for share in (0.1, 0.5, 0.9, 0.99)),
    ],
)  # fmt: skip
def test_a_truncated_or_foreign_file_is_one_clear_line(tmp_path, content):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.pth: ") as error:
        read_weights(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["net.pth", "net.params", "net.safetensors"])
def test_a_page_that_was_saved_in_the_weights_place_is_called_so(tmp_path, name):
    (tmp_path / name).write_text("\n<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(ValueError, match="a web page instead of weights"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), {"state_dict": 3}, {}])
def test_a_file_without_named_tensors_is_named(tmp_path, content):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"net\.pth: (holds no|expected named) tensors"):
        read_weights(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ilsvrc-cls_rna-a1_cls1000_ep-0001.params", "https://drive.google.com/drive/folders/1y3W"),
        ("resnet50-0676ba61.pth", "https://download.pytorch.org/models/resnet50"),
        ("resnet38_SEAM.pth", "https://github.com/YudeWang/SEAM"),
        ("mine.safetensors", "a file of your own"),
    ],
)
def test_a_missing_file_says_what_it_is_and_where_it_is_published(tmp_path, name, where):
    with pytest.raises(ValueError, match="no such file") as error:
        read_weights(tmp_path / name)
    assert where in str(error.value)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "weights: none" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_format_is_named(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ValueError, match=r"net\.pth: neither safetensors, nor of torch\.save, nor"):
        read_weights(tmp_path / "net.pth")


def test_the_parameters_allow_the_usual_endings():
    for ending in WEIGHT_ENDINGS:
        for name in (f"net{ending}", f"NET{ending.upper()}"):
            assert f"weights: {name} " in preset_text("micro", [f"network.weights={name}"])
