"""The training loop: its history, its errors and its signals."""

import csv
import io
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hfpl.jobs.progress import Interrupted
from hfpl.networks.interface import Backbone, StandsOnBackbone
from hfpl.training import loop
from hfpl.training.checkpoint import Checkpoint
from hfpl.training.loop import Plan, history_csv, run_training

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class OneWeight(StandsOnBackbone):
    """A single number learns; the loss is whatever the test says."""

    def __init__(self) -> None:
        super().__init__(Backbone())
        self.weight = nn.Parameter(torch.tensor(1.0))


def make(tmp_path: Path, digest: str = "digest"):
    network = OneWeight()
    optimiser = torch.optim.SGD([{"params": [network.weight], "lr": 0.1, "initial_lr": 0.1}])
    return network, optimiser, Checkpoint(tmp_path / "a.checkpoint", digest)


def run(tmp_path, steps, loss_of=None, *, decay_steps=None, power=0.9, seed=0, rate=1.0):
    """Train one weight; returns its network, the history and the steps that were run."""
    network, optimiser, checkpoint = make(tmp_path)
    done = []

    def batches(start):
        return ([torch.tensor(step)] for step in range(start, steps))

    def plain_loss(step):
        return {"total": network.weight * (step + 1.0), "part": network.weight.detach() * 0 + step}

    def counted(batch, progress):
        step = int(batch[0])
        assert progress == step / steps  # Also where the training went on from a checkpoint.
        done.append(step)
        losses = plain_loss(step)
        return losses if loss_of is None else (loss_of(step, losses) or losses)

    plan = Plan("test", steps, decay_steps or steps, power, seed, rate)
    history = run_training(network, optimiser, batches, counted, plan, checkpoint)
    return network, history, done


@pytest.fixture
def every_step(monkeypatch):
    """A checkpoint after each step, not after each minute."""
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)


@pytest.mark.parametrize("steps", [1, 7, 50, 101, 120])
def test_history_holds_the_mean_of_each_window(tmp_path, steps):
    seen = []
    _, history, _ = run(tmp_path, steps, lambda step, losses: seen.append(losses))
    assert history[-1]["step"] == steps
    assert len(history) <= 100
    assert len(history) >= min(steps, 50)
    start = 0
    for row in history:
        assert list(row) == ["step", "total", "part"]
        for name in ("total", "part"):
            values = [losses[name].item() for losses in seen[start : row["step"]]]
            assert row[name] == pytest.approx(np.mean(values), rel=1e-6)
        start = row["step"]


def test_the_learning_rate_decays_per_step(tmp_path):
    network, _, _ = run(tmp_path, 10, decay_steps=11)
    moved = sum(0.1 * (1 - step / 11) ** 0.9 * (step + 1) for step in range(10))
    assert network.weight.item() == pytest.approx(1 - moved, rel=1e-5)


def test_a_rate_multiplies_the_learning_rate_at_every_step(tmp_path):
    network, _, _ = run(tmp_path, 10, decay_steps=11, rate=3.0)
    moved = sum(0.3 * (1 - step / 11) ** 0.9 * (step + 1) for step in range(10))
    assert network.weight.item() == pytest.approx(1 - moved, rel=1e-5)


def test_what_is_drawn_depends_on_seed_and_step_alone(tmp_path):
    drawn = {}

    def draw(into):
        return lambda step, losses: into.update({step: torch.rand(2).tolist()})

    for name, seed, before in (("one", 0, 1), ("two", 0, 2), ("other", 1, 1)):
        torch.manual_seed(before)
        run(tmp_path, 4, draw(drawn.setdefault(name, {})), seed=seed)
    assert drawn["one"] == drawn["two"] != drawn["other"]
    assert len({tuple(values) for values in drawn["one"].values()}) == 4


class Killed(Exception):
    """Stands for a process that ends without a word."""


def killed_at(place: int):
    def kill(step, losses):
        if step == place:
            raise Killed

    return kill


@pytest.mark.parametrize("place", [1, 60, 61, 119])
def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path, every_step, place):
    network, history, _ = run(tmp_path / "whole", 120)
    with pytest.raises(Killed):
        run(tmp_path / "cut", 120, killed_at(place))
    resumed, rows, done = run(tmp_path / "cut", 120)
    assert done == list(range(place, 120))
    assert torch.equal(network.weight, resumed.weight)
    assert rows == history


def test_where_a_training_goes_on_or_begins_anew_is_said(tmp_path, every_step, caplog):
    with pytest.raises(Killed):
        run(tmp_path, 12, killed_at(5))
    assert caplog.messages == []
    with caplog.at_level("INFO", "hfpl"), pytest.raises(Killed):
        run(tmp_path, 12, killed_at(7))
    assert caplog.messages == ["test: goes on at step 5 of 12"]
    caplog.clear()
    network, optimiser, other = make(tmp_path, "other")
    other.save(network, optimiser, {"step": 3, "history": [], "sums": {}})
    with caplog.at_level("INFO", "hfpl"):
        assert run(tmp_path, 12)[2] == list(range(12))
    assert caplog.messages == [
        "test: begins anew; its checkpoint is of other parameters, photographs or code"
    ]


def test_many_interruptions_are_as_good_as_none(tmp_path, every_step):
    _, history, _ = run(tmp_path / "whole", 12)
    for place in range(1, 12):
        with pytest.raises(Killed):
            run(tmp_path / "cut", 12, killed_at(place))
    assert run(tmp_path / "cut", 12)[1] == history


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["total", "part"])
def test_a_loss_that_is_not_finite_is_one_clear_error(tmp_path, value, name):
    def broken(step, losses):
        return {**losses, name: losses[name] * value} if step == 3 else losses

    with pytest.raises(ValueError, match="loss is not finite at step") as error:
        run(tmp_path, 200, broken)
    assert "\n" not in str(error.value)
    # Noticed at the end of its window, not after the training.
    assert int(str(error.value).split("step ")[1].split(";")[0]) <= 8


def test_a_loss_that_is_not_finite_is_not_written_to_a_checkpoint(tmp_path, every_step):
    def broken(step, losses):
        return {**losses, "total": losses["total"] * float("nan")} if step == 4 else losses

    with pytest.raises(ValueError, match="loss is not finite at step 5"):
        run(tmp_path, 200, broken)
    _, _, done = run(tmp_path, 200)
    assert done == list(range(4, 200))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_step_and_writes_a_checkpoint(tmp_path, number):
    network, history, _ = run(tmp_path / "whole", 30)

    def interrupt(step, losses):
        if step == 11:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match="stopped at step 12"):
        run(tmp_path / "cut", 30, interrupt)
    resumed, rows, done = run(tmp_path / "cut", 30)
    assert done == list(range(12, 30))
    assert torch.equal(network.weight, resumed.weight)
    assert rows == history


def test_a_signal_in_the_last_step_loses_nothing(tmp_path):
    def interrupt(step, losses):
        if step == 29:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        network, history, _ = run(tmp_path, 30, interrupt)
    except Interrupted:
        # Then it is a checkpoint that holds the training.
        network, history, done = run(tmp_path, 30)
        assert done in ([], [29])
    whole, rows, _ = run(tmp_path / "whole", 30)
    assert torch.equal(network.weight, whole.weight)
    assert history == rows


@pytest.mark.parametrize("fails", [False, True])
def test_signals_mean_afterwards_what_they_meant_before(tmp_path, fails):
    before = [signal.getsignal(number) for number in SIGNALS]
    within = []

    def look(step, losses):
        within.append([signal.getsignal(number) for number in SIGNALS])
        if fails:
            raise Killed

    if fails:
        with pytest.raises(Killed):
            run(tmp_path, 2, look)
    else:
        run(tmp_path, 2, look)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert all(a != b for a, b in zip(within[0], before, strict=True))


def test_history_as_csv():
    text = history_csv([{"step": 1, "total": 1 / 3}, {"step": 200_000, "total": 2e-7}])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["step"] for row in rows] == ["1", "200000"]
    assert [float(row["total"]) for row in rows] == pytest.approx([1 / 3, 2e-7], rel=1e-5)
    assert text.startswith("step,total\n")
    assert "\r" not in text


def test_steps_in_the_history_are_whole_numbers_however_many():
    assert "\n1234567," in history_csv([{"step": 1_234_567, "total": 0.5}])
