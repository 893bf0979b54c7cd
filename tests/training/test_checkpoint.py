"""Checkpoints: what they keep, and which ones are not used."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from hfpl.training.checkpoint import Checkpoint

PROGRESS = {"step": 3, "history": [{"step": 2, "total": 0.1}], "sums": {"total": 1 / 3}, "count": 1}

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "sgd without momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.0),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}


def make(optimiser: str = "adamw", seed: int = 0):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    network.to(memory_format=torch.channels_last)
    # One part is not trained, as in the networks.
    network[0].bias.requires_grad_(False)
    trained = [p for p in network.parameters() if p.requires_grad]
    return network, OPTIMISERS[optimiser]([{"params": trained[:2]}, {"params": trained[2:]}])


def take_steps(network, optimiser, count: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        optimiser.zero_grad()
        network(torch.randn(2, 3, 5, 5, generator=generator)).square().mean().backward()
        optimiser.step()


def states(network, optimiser):
    found = {f"n.{k}": v for k, v in network.state_dict().items()}
    for index, values in optimiser.state_dict()["state"].items():
        found |= {f"o.{index}.{k}": v for k, v in values.items() if v is not None}
    return found


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].dtype == two[name].dtype, name
        assert torch.equal(one[name], two[name]), name


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_restored_training_goes_on_as_the_saved_one(tmp_path, name):
    saved = make(name)
    take_steps(*saved, count=3, seed=1)
    checkpoint = Checkpoint(tmp_path / "a.checkpoint", "digest")
    checkpoint.save(*saved, PROGRESS)
    restored = make(name, seed=5)
    assert checkpoint.load(*restored) == PROGRESS
    assert_equal(states(*saved), states(*restored))
    take_steps(*saved, count=3, seed=2)
    take_steps(*restored, count=3, seed=2)
    assert_equal(states(*saved), states(*restored))


def saved_file(folder, digest="digest"):
    network, optimiser = make()
    take_steps(network, optimiser, count=1, seed=0)
    checkpoint = Checkpoint(folder / "a.checkpoint", digest)
    checkpoint.save(network, optimiser, PROGRESS)
    return checkpoint


def assert_unused(checkpoint):
    pair = make(seed=7)
    before = {name: value.clone() for name, value in states(*pair).items()}
    assert checkpoint.load(*pair) is None
    assert_equal(states(*pair), before)


def test_a_checkpoint_of_another_digest_is_not_used(tmp_path):
    path = saved_file(tmp_path).path
    assert_unused(Checkpoint(path, "another"))


def test_a_missing_checkpoint_is_none(tmp_path):
    assert_unused(Checkpoint(tmp_path / "none", "digest"))


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_checkpoint_is_not_used(tmp_path, share):
    checkpoint = saved_file(tmp_path)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: int(len(content) * share)])
    assert_unused(checkpoint)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\xff" * 64])
def test_a_file_that_is_no_checkpoint_is_not_used(tmp_path, content):
    path = tmp_path / "a.checkpoint"
    path.write_bytes(content)
    assert_unused(Checkpoint(path, "digest"))


def test_a_failed_write_keeps_the_previous_checkpoint(tmp_path):
    checkpoint = saved_file(tmp_path)
    before = checkpoint.path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(*make(), {"step": object()})
    assert checkpoint.path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.checkpoint"]


def test_removing_twice_is_no_error(tmp_path):
    checkpoint = saved_file(tmp_path)
    checkpoint.remove()
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []
