"""A stage's training as a whole: the same bytes for the same seed, whatever happens on the way.

Run as a script, this file trains in a process of its own, which a test can then interrupt.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from hfpl.jobs.runtime import set_up
from hfpl.networks.interface import Backbone, StandsOnBackbone, freeze
from hfpl.numerics import seed_torch
from hfpl.sections.training import AdamW, LearningRateFactors, Sgd
from hfpl.training import loop
from hfpl.training.loop import Plan
from hfpl.training.stage import TrainingFiles, train_stage

FACTORS = LearningRateFactors(biases=2.0, new_weights=3.0, new_biases=6.0)
COMMON = {"lr": 0.01, "weight_decay": 0.01, "power": 0.9, "factors": FACTORS}
OPTIMISERS = {
    "sgd": Sgd(name="sgd", momentum=0.9, **COMMON),
    "sgd without momentum": Sgd(name="sgd", momentum=0.0, **COMMON),
    "adamw": AdamW(name="adamw", **COMMON),
}
STEPS = 60


class Small(Backbone):
    """Convolutions of 3x3 and batch statistics, the first of them not trained."""

    channels, stride = {"conv4": 8, "conv5": 8, "conv6": 8}, 2
    frozen = {"test": ("frozen_part",)}

    def __init__(self, trains_batchnorm: bool) -> None:
        super().__init__()
        self.norms_fixed = not trains_batchnorm
        self.frozen_part = nn.Conv2d(3, 6, 3, padding=1)
        self.part = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images):
        features = self.norm(self.part(self.frozen_part(images).relu())).relu()
        return {"conv4": features, "conv5": features, "conv6": features}


class Network(StandsOnBackbone):
    def __init__(self, trains_batchnorm: bool) -> None:
        super().__init__(Small(trains_batchnorm))
        self.dropout = nn.Dropout2d(0.5)
        self.head = nn.Conv2d(8, 2, 3)

    def forward(self, images):
        return self.head(self.dropout(self.backbone(images)["conv6"])).mean((2, 3))


class Samples:
    """Noise whose mean is the class."""

    def __len__(self) -> int:
        return 14

    def sample(self, index, rng):
        image = rng.normal(size=(3, 12, 10)) + index % 2
        return torch.from_numpy(image).float(), torch.tensor(index % 2)


class Killed(Exception):
    """Stands for a process that ends without a word."""


def train(
    folder: Path,
    *,
    optimiser: str = "adamw",
    seed: int = 0,
    workers: int = 0,
    kill_at: int | None = None,
    digest: str = "digest",
    pause: float = 0.0,
    trains_batchnorm: bool = True,
) -> Network:
    """Train the network above; the files go below ``folder``.

    With a pause, in seconds, every step is announced and takes so much longer: a signal then
    comes in the midst of one.
    """
    runtime = set_up("cpu", 1, workers)
    seed_torch("test", seed)
    network = Network(trains_batchnorm)
    freeze(network.backbone, "test")
    done = 0

    def loss_of(batch, progress):
        nonlocal done
        if done == kill_at:
            raise Killed
        done += 1
        if pause:
            print("step", flush=True)
            time.sleep(pause)
        images, classes = batch
        images = images.contiguous(memory_format=torch.channels_last)
        return {"total": nn.functional.cross_entropy(network(images), classes)}

    files = TrainingFiles(folder / "model.safetensors", folder / "history.csv", digest)
    plan = Plan("test", STEPS, STEPS, 0.9, seed)
    train_stage(network, Samples(), loss_of, 4, OPTIMISERS[optimiser], plan, files, runtime)
    network.steps = done
    return network


def results(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Results of an uninterrupted training, by optimiser."""
    found = {}
    for name in OPTIMISERS:
        folder = tmp_path_factory.mktemp("whole")
        train(folder, optimiser=name)
        found[name] = results(folder)
    return found


def test_a_finished_training_leaves_its_two_files_alone(whole):
    for files in whole.values():
        assert sorted(files) == ["history.csv", "model.safetensors"]
    assert len({files["model.safetensors"] for files in whole.values()}) == len(whole)


def test_it_learns(tmp_path):
    train(tmp_path)
    header, *lines = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "step,total"
    losses = [float(line.split(",")[1]) for line in lines]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path, whole):
    torch.manual_seed(5)
    train(tmp_path / "same")
    assert results(tmp_path / "same") == whole["adamw"]
    train(tmp_path / "other", seed=1)
    other = results(tmp_path / "other")
    assert all(other[name] != whole["adamw"][name] for name in other)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_does_not_matter(tmp_path, whole, workers):
    train(tmp_path, workers=workers)
    assert results(tmp_path) == whole["adamw"]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("kill_at", [1, 31])
def test_a_killed_training_goes_on_to_the_same_bytes(
    tmp_path, monkeypatch, whole, optimiser, kill_at
):
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)
    with pytest.raises(Killed):
        train(tmp_path, optimiser=optimiser, kill_at=kill_at)
    assert sorted(results(tmp_path)) == ["model.checkpoint"]
    assert train(tmp_path, optimiser=optimiser).steps == STEPS - kill_at
    assert results(tmp_path) == whole[optimiser]


def spoil_nothing(file: Path) -> str:
    return "another digest"


def spoil_half(file: Path) -> str:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return "digest"


def spoil_all(file: Path) -> str:
    file.write_bytes(b"")
    return "digest"


@pytest.mark.parametrize("spoil", [spoil_nothing, spoil_half, spoil_all])
def test_a_checkpoint_that_does_not_fit_is_ignored(tmp_path, monkeypatch, whole, spoil):
    monkeypatch.setattr(loop, "_CHECKPOINT_EVERY", -1.0)
    with pytest.raises(Killed):
        train(tmp_path, kill_at=20)
    digest = spoil(tmp_path / "model.checkpoint")
    assert train(tmp_path, digest=digest).steps == STEPS
    assert results(tmp_path) == whole["adamw"]


@pytest.mark.parametrize("trains_batchnorm", [True, False])
def test_what_is_not_trained_does_not_move(tmp_path, trains_batchnorm):
    seed_torch("test", 0)
    before = Network(trains_batchnorm).state_dict()
    after = train(tmp_path, trains_batchnorm=trains_batchnorm).state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {f"backbone.norm.{name}" for name in ("weight", "bias", "running_mean")}
    statistics |= {"backbone.norm.running_var", "backbone.norm.num_batches_tracked"}
    expected = {"backbone.part.weight", "backbone.part.bias", "head.weight", "head.bias"}
    assert moved == (expected | statistics if trains_batchnorm else expected)


def test_a_failed_training_writes_no_result(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, kill_at=20)
    assert results(tmp_path) == {}


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_an_interrupted_process_goes_on_to_the_same_bytes(tmp_path, whole, number):
    """Schedulers signal all processes of a job, as Ctrl-C does: the loader's workers too."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for _ in range(7):
        assert process.stdout.readline() == "step\n"
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Interrupted: test: stopped at step" in errors, errors[-2000:]
    assert sorted(results(tmp_path)) == ["model.checkpoint"]
    assert 0 < train(tmp_path).steps <= STEPS - 7
    assert results(tmp_path) == whole["adamw"]


if __name__ == "__main__":
    train(Path(sys.argv[1]), workers=1, pause=0.1)
