"""Tensors in files: equal tensors, equal bytes; a file that does not fit is explained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hfpl.storage.tensors import load_network, load_tensors, save_network, save_tensors


def examples() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    base = torch.randn(4, 6)
    return {
        "plain": base,
        "transposed": base.t(),
        "strided": base[:, ::2],
        "shared": base,
        "channels_last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "scalar": torch.tensor(7, dtype=torch.int64),
        "half": torch.randn(3).bfloat16(),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "grad": torch.ones(2, requires_grad=True),
        "names with ö": torch.tensor([float("nan"), float("inf")]),
    }


def test_tensors_come_back_to_the_bit(tmp_path):
    tensors = examples()
    save_tensors(tmp_path / "t.safetensors", tensors, {"note": "Grüße"})
    found, metadata = load_tensors(tmp_path / "t.safetensors")
    assert metadata == {"note": "Grüße"}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].device.type == "cpu"
        assert torch.equal(found[name].nan_to_num(), tensor.detach().nan_to_num())
    save_tensors(tmp_path / "t.safetensors", tensors)
    assert load_tensors(tmp_path / "t.safetensors")[1] == {}


def test_equal_tensors_give_equal_bytes(tmp_path):
    tensors = examples()
    save_tensors(tmp_path / "one.safetensors", tensors)
    first = (tmp_path / "one.safetensors").read_bytes()
    turned = {name: tensors[name].clone() for name in reversed(tensors)}
    save_tensors(tmp_path / "folder" / "two.safetensors", turned)
    assert (tmp_path / "folder" / "two.safetensors").read_bytes() == first
    save_tensors(tmp_path / "one.safetensors", {**tensors, "plain": tensors["plain"] + 1})
    assert (tmp_path / "one.safetensors").read_bytes() != first


def test_equal_metadata_give_equal_bytes(tmp_path):
    metadata = {name: name * 2 for name in "abcdefgh"}
    contents = set()
    for _ in range(8):
        save_tensors(tmp_path / "t.safetensors", {"a": torch.ones(1)}, metadata)
        contents.add((tmp_path / "t.safetensors").read_bytes())
    assert len(contents) == 1


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "t.safetensors"
    save_tensors(path, {"a": torch.ones(1)})
    with pytest.raises(UnicodeError):
        save_tensors(path, {"a": torch.zeros(1), "\ud800": torch.zeros(1)})
    assert torch.equal(load_tensors(path)[0]["a"], torch.ones(1))
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_the_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    save_tensors(tmp_path / "written", {"a": torch.ones(1)})
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_is_no_tensors_is_named(tmp_path):
    save_tensors(tmp_path / "good", {"a": torch.randn(100)})
    content = (tmp_path / "good").read_bytes()
    for number, wrong in enumerate(
        [b"", b"text", content[:5], content[:40], content[:-1], b"\xff"]
    ):
        path = tmp_path / f"bad-{number}"
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=rf"bad-{number}: not a readable safetensors file"):
            load_tensors(path)
    with pytest.raises(ValueError, match="nothing: no such file"):
        load_tensors(tmp_path / "nothing")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_tensors(tmp_path)


def network(width: int = 3, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 1, bias=bias), nn.BatchNorm2d(width))


def test_a_network_comes_back(tmp_path):
    trained = network()
    trained(torch.randn(2, 3, 4, 4))  # moves the running statistics
    save_network(tmp_path / "n", trained)
    fresh = network()
    load_network(tmp_path / "n", fresh)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (network(bias=False), "tensor '0.bias' is missing; it belongs to another network"),
        (nn.Sequential(*network(), nn.Linear(1, 1)), "tensor '2.bias' is unknown; it belongs to"),
        (network(width=4), r"tensor '0.bias' has shape \(4,\), the network expects \(3,\)"),
    ],
)
def test_another_network_is_refused_and_nothing_is_loaded(tmp_path, other, complaint):
    save_network(tmp_path / "other", other)
    mine = network()
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    with pytest.raises(ValueError, match=f"other: {complaint}"):
        load_network(tmp_path / "other", mine)
    assert all(torch.equal(mine.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_torch_file_is_not_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"a": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match=r"trap\.pt: not a readable safetensors file"):
        load_tensors(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_bytes_are_equal_between_processes(tmp_path: Path):
    script = (
        "import sys, torch; from hfpl.storage.tensors import save_tensors; "
        "save_tensors(sys.argv[1], {k: torch.arange(5.) for k in 'hgfedcba'})"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, str(tmp_path / "other")]
    subprocess.run(command, check=True, env=environment)
    save_tensors(tmp_path / "mine", {k: torch.arange(5.0) for k in "abcdefgh"})
    assert (tmp_path / "mine").read_bytes() == (tmp_path / "other").read_bytes()
