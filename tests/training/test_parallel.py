"""Several processes train as one does: same batches, draws, statistics, gradients and files.

Run as a script under torchrun's variables, this file trains: ``IMAGES OUT CASE [CASE ...]``.
"""

import contextlib
import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from hfpl.cli.launcher import main as launch_command
from hfpl.distributed import batch as parallel
from hfpl.distributed import process as processes
from hfpl.jobs import runtime
from hfpl.jobs.progress import Interrupted
from hfpl.jobs.runtime import set_up
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.sections.training import LearningRateFactors, Sgd
from hfpl.stages.affinity.train import train_affinity
from hfpl.stages.cam.params import Variant
from hfpl.stages.cam.train import train_cam
from hfpl.stages.segment.train import train_segment
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_tensors
from hfpl.training import stage
from hfpl.training.samples import load_batches
from hfpl.training.stage import TrainingFiles

STEPS, BATCH, IMAGES = 10, 4, 9
SIDE = 40

VARIANTS = {
    "seam": {"method": "seam", "isl": "binomial", "fsl": True},
    "multinomial": {"method": "seam", "isl": "multinomial", "fsl": True},
    "cam": {"method": "cam", "isl": "expected", "fsl": True},
    "puzzle": {"method": "puzzle", "isl": "binomial", "fsl": False},
    "ppc": {"method": "ppc", "isl": "binomial", "fsl": True},
}
CASES = ("seam", "affinity", "segment")
SLOW_CASES = ("multinomial", "cam", "puzzle", "ppc")


def write_images(folder: Path) -> None:
    """Images of blocks in the colours of their classes, with scores and label maps.

    The images differ in how much of them is labelled: parts of a batch count differently.
    """
    rng = np.random.default_rng(0)
    colours = np.array([(40, 40, 40), (220, 60, 60), (60, 200, 60), (60, 60, 220)])
    records = []
    with (
        write_shard(folder / "low.zip", counts_from=1) as low,
        write_shard(folder / "high.zip", counts_from=1) as high,
        write_shard(folder / "labels.zip") as labels,
    ):
        for number in range(IMAGES):
            name = f"image{number}"
            tags = tuple(sorted({number % 3, number // 3}))
            blocks = rng.choice([0, *(t + 1 for t in tags)], (SIDE // 8, SIDE // 8))
            mask = blocks.repeat(8, 0).repeat(8, 1).astype(np.uint8)
            noise = rng.integers(-30, 31, (SIDE, SIDE, 3))
            pixels = (colours[mask] + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
            channels = [0, *(t + 1 for t in tags)]
            scores = np.stack([mask == c for c in channels]).astype(np.float32)
            low.add_scores(name, channels, scores * 0.9)
            high.add_scores(name, channels, scores * 0.8)
            mask[: 4 * number] = 255
            labels.add_mask(name, mask)
            records.append(ImageRecord(name, f"{name}.png", SIDE, SIDE, tags, ""))
    manifest = Manifest("test", "train", ("a", "b", "c"), tuple(records))
    write_manifest(folder / "train-0.json", manifest)


def train(case: str, images: Path, out: Path, *, batch: int = BATCH) -> TrainingFiles:
    """Train a case for ten steps; the files go to ``out``.

    By SGD: AdamW's first steps take the sign of a gradient, also of one that is rounding alone.
    """
    params = validate_params(YAML(typ="safe").load(preset_text("micro")))
    out.mkdir(parents=True, exist_ok=True)
    files = TrainingFiles(out / "model.safetensors", out / "history.csv", "digest")
    factors = LearningRateFactors(biases=2.0, new_weights=3.0, new_biases=6.0)
    sgd = Sgd(name="sgd", lr=0.01, weight_decay=5e-4, momentum=0.9, power=0.9, factors=factors)
    epochs = STEPS // (IMAGES // BATCH)
    manifests, runtime = [images / "train-0.json"], set_up("cpu", 1, 0)
    given = {"images": images, "manifests": manifests, "weights": None, "history": files.history}
    changes = {"optimiser": sgd, "batch": batch}
    if case in VARIANTS:
        cam = params.cam.model_copy(update={**changes, "epochs": epochs})
        own = {"own": Variant(**VARIANTS[case], seed=0)}
        params = params.model_copy(update={"cam": cam, "variants": own, "variant": "own"})
        settings = JOBS["cam_train"].settings(params)
        train_cam(settings, runtime, **given, model=files.model, digest="digest")
    elif case == "affinity":
        affinity = params.affinity.model_copy(update={**changes, "epochs": epochs})
        settings = JOBS["affinity"].settings(params.model_copy(update={"affinity": affinity}))
        given |= {"low": [images / "low.zip"], "high": [images / "high.zip"]}
        train_affinity(settings, runtime, **given, model=files.model, digest="digest")
    else:
        segment = params.segment.model_copy(update={**changes, "iterations": STEPS})
        settings = JOBS["segment_train"].settings(params.model_copy(update={"segment": segment}))
        given["labels"] = [images / "labels.zip"]
        train_segment(settings, runtime, **given, network=files.model, digest="digest")
    return files


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(processes: int, *arguments: str, **environment: str) -> list[subprocess.Popen]:
    """What torchrun would start, without its own processes in between."""
    common = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "TORCHELASTIC_RUN_ID": "test",
        "MASTER_ADDR": "127.0.0.1",
        "PORTS": " ".join(str(free_port()) for _ in arguments),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        **environment,
    }
    return [
        subprocess.Popen(
            [sys.executable, __file__, *arguments],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]


def run(processes: int, *arguments: str) -> None:
    """Run to the end, and show the errors of one that failed."""
    running = start(processes, *arguments)
    try:
        errors = [process.communicate(timeout=600)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [p.returncode for p in running] == [0] * processes, "\n".join(errors)[-4000:]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    return folder


@pytest.fixture(scope="module")
def together(images, tmp_path_factory):
    """Results of two processes, a folder for each case."""
    out = tmp_path_factory.mktemp("together")
    run(2, str(images), str(out), *CASES)
    return out


def read(folder: Path) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    rows = csv.DictReader((folder / "history.csv").read_text().splitlines())
    history = [{name: float(value) for name, value in row.items()} for row in rows]
    return history, load_tensors(folder / "model.safetensors")[0]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_take_the_steps_of_one(images, together, tmp_path, case):
    train(case, images, tmp_path)
    same(tmp_path, together / case)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_in_every_method(images, tmp_path):
    run(2, str(images), str(tmp_path / "together"), *SLOW_CASES)
    for case in SLOW_CASES:
        train(case, images, tmp_path / case)
        same(tmp_path / case, tmp_path / "together" / case)


def same(one: Path, other: Path) -> None:
    """Both folders hold the same training, but for rounding, and nothing else."""
    (rows, tensors), (found_rows, found) = read(one), read(other)
    assert [row["step"] for row in found_rows] == list(range(1, STEPS + 1))
    for row, found_row in zip(rows, found_rows, strict=True):
        assert found_row == pytest.approx(row, rel=2e-4, abs=2e-5)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=5e-4, msg=name)
    assert sorted(p.name for p in other.iterdir()) == ["history.csv", "model.safetensors"]


def stop_in_step(number: int) -> pytest.MonkeyPatch:
    """Have this process signalled while it loads the batch after a number of steps."""

    def batches(*arguments):
        for step, batch in enumerate(load_batches(*arguments)):
            if step == number:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    patch = pytest.MonkeyPatch()
    patch.setattr(stage, "load_batches", batches)
    return patch


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_each_process_takes_its_rows_also_of_a_batch_that_stands_there_often(size, part, copies):
    whole = torch.arange(size * part * 2.0).view(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "_host", ["a group"])
        patch.setattr(parallel, "world_size", lambda: size)
        taken = []
        for rank in range(size):
            patch.setattr(parallel, "rank", lambda rank=rank: rank)
            own = parallel.own_part(whole)
            assert torch.equal(own, whole[parallel.part_of(len(whole), "batch")])
            assert torch.equal(
                parallel.own_part(whole.repeat(copies, 1), copies), own.repeat(copies, 1)
            )
            taken.append(own)
    assert torch.equal(torch.cat(taken), whole)


def test_a_process_by_itself_has_the_whole_batch():
    whole = torch.randn(3, 2)
    assert parallel.own_part(whole) is parallel.all_gather(whole) is whole
    assert len(whole[parallel.part_of(3, "batch")]) == 3


def test_what_other_launchers_set_is_not_taken_for_torchrun_s(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (processes.rank(), processes.world_size()) == (0, 1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert (processes.rank(), processes.world_size()) == (1, 2)


def test_processes_of_a_machine_share_its_cores(monkeypatch):
    monkeypatch.setattr(runtime, "_cores", lambda: 16)
    assert set_up("cpu", 1).workers == 8
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert set_up("cpu", 1).workers == 3


def test_each_process_needs_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes need as many GPUs, torch finds 1"):
        set_up("auto", 1)


def test_a_command_in_one_process_needs_no_torchrun(capsys):
    assert launch_command(["1", "params", "--check", "nowhere.yaml"]) == 1
    assert "nowhere.yaml" in capsys.readouterr().err
    assert launch_command(["params"]) == 2


@pytest.mark.slow
def test_two_processes_go_on_where_one_stopped_and_one_where_two_did(images, tmp_path):
    """A signal to one of two stops both after the same step, and one checkpoint is written."""
    train("seam", images, tmp_path / "whole")
    patch = stop_in_step(3)
    with pytest.raises(Interrupted, match="stopped at step 4"):
        train("seam", images, tmp_path / "cut/seam")
    patch.undo()
    assert [p.name for p in (tmp_path / "cut/seam").iterdir()] == ["model.checkpoint"]

    stopping = start(2, str(images), str(tmp_path / "cut"), "seam", STOP="1 2")
    errors = [process.communicate(timeout=100)[1] for process in stopping]
    assert all("Interrupted: cam train: stopped at step 7" in text for text in errors), errors
    assert [p.name for p in (tmp_path / "cut/seam").iterdir()] == ["model.checkpoint"]

    train("seam", images, tmp_path / "cut/seam")
    same(tmp_path / "whole", tmp_path / "cut/seam")


@pytest.mark.slow
@pytest.mark.parametrize("broken", [0, 5])
def test_a_sample_that_one_process_cannot_read_ends_both_with_the_same_error(
    images, tmp_path, broken
):
    shutil.copytree(images, tmp_path / "images")
    (tmp_path / f"images/image{broken}.png").write_bytes(b"no image")
    running = start(2, str(tmp_path / "images"), str(tmp_path / "out"), "seam")
    for process in running:
        last = process.communicate(timeout=100)[1].splitlines()[-1]
        assert f"image{broken}.png: not a readable image" in last
    assert [p.returncode for p in running] == [1, 1]
    assert list((tmp_path / "out/seam").iterdir()) == []


def launch(processes: int, images: Path, out: Path) -> subprocess.Popen:
    """The command as the rules call it, in processes that torchrun starts."""
    (out / "params.yaml").write_text(preset_text("micro", ["cam.epochs=1000"]))
    return subprocess.Popen(
        [
            *[sys.executable, "-m", "hfpl.cli.launcher", str(processes), "cam", "train"],
            *["--params", str(out / "params.yaml"), "--log", str(out / "train.log")],
            *["--threads", "1", "--workers", "0", "--device", "cpu", "--images", str(images)],
            *["--manifests", str(images / "train-0.json"), "--weights"],
            *["--model", str(out / "model.safetensors"), "--history", str(out / "history.csv")],
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


@pytest.mark.slow
def test_an_error_of_one_of_several_processes_is_one_line(images, tmp_path):
    shutil.copytree(images, tmp_path / "images")
    (tmp_path / "images/image0.png").write_bytes(b"no image")
    running = launch(2, tmp_path / "images", tmp_path)
    (line,) = running.communicate(timeout=200)[1].splitlines()
    assert line.startswith("hfpl cam train: error: ")
    assert "image0.png: not a readable image" in line
    assert running.returncode == 1


@pytest.mark.slow
def test_a_batch_without_equal_parts_is_one_line(images, tmp_path):
    running = launch(3, images, tmp_path)
    (line,) = running.communicate(timeout=200)[1].splitlines()
    assert "error: cam.batch: a batch of 4 has no 3 equal parts" in line
    assert running.returncode == 1


def children(parent: int) -> list[Path]:
    """Folders below /proc of a process's children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (process / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == parent:
                found.append(process)
    return found


def takes_signals(process: Path) -> bool:
    """Whether a process has a handler for SIGTERM: then it is among its steps."""
    caught = re.search(r"SigCgt:\s*(\w+)", (process / "status").read_text())[1]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.slow
@pytest.mark.parametrize("everyone", [False, True])
def test_a_signal_stops_all_processes_with_one_line_and_one_checkpoint(images, tmp_path, everyone):
    """A scheduler signals the first process of a job, or all of them."""
    running = launch(2, images, tmp_path)
    while sum(takes_signals(process) for process in children(running.pid)) < 2:
        time.sleep(0.1)
    send = os.killpg if everyone else os.kill
    send(running.pid, signal.SIGTERM)
    (line,) = running.communicate(timeout=100)[1].splitlines()
    assert re.fullmatch(r"cam train: stopped at step \d+, checkpoint written", line)
    assert running.returncode == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.checkpoint",
        "params.yaml",
        "train.log",
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "STOP" in os.environ:
        rank, step = os.environ["STOP"].split()
        if os.environ["RANK"] == rank:
            stop_in_step(int(step))
    for number, name in enumerate(sys.argv[3:]):
        # Each training's processes meet anew.
        os.environ["MASTER_PORT"] = os.environ["PORTS"].split()[number]
        train(name, Path(sys.argv[1]), Path(sys.argv[2]) / name)
