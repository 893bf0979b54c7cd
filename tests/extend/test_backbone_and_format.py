"""The backbone and the format of docs/extend.md, each saved as the page says, train and infer."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.storage.manifest import read_manifests
from hfpl.storage.shards import Shard
from hfpl.storage.tensors import load_tensors
from tests.extend.page import copied_package, example, run_commands, run_python

TRAIN, VAL = ["t0.json", "t1.json"], ["v0.json", "v1.json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, repository: Path) -> Path:
    """A copy of the package with both files of the page, and what the commands wrote."""
    folder = copied_package(repository, tmp_path_factory.mktemp("extended"))
    settings = []
    for heading, file in (
        ("A backbone", "backbones/plain.py"),
        ("A data format", "formats/class_folders.py"),
    ):
        code, command = example(repository, heading)
        (folder / "hfpl" / "plugins" / file).write_text(code, encoding="utf-8")
        settings += command[2:]
    for number in range(24):
        below = folder / "photos" / ("cat", "dog", "cow")[number % 3]
        below.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (6, 7, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((56, 48)).save(below / f"{number}.jpg")
    given = ["--images", "photos", "--threads", "1"]
    commands = [
        # The page's commands, on the preset that trains for a few steps.
        ["params", "micro", *settings, "--set", "network.weights=none"],
        ["data", "index", *given[:2], "--train-manifests", *TRAIN, "--val-manifests", *VAL],
        ["cam", "train", *given, "--manifests", *TRAIN, "--model", "m", "--history", "h.csv"],
        ["cam", "infer", *given, "--manifest", "v0.json", "--model", "m", "--cams", "v0.zip"],
    ]
    run_commands(folder, commands)
    return folder


def test_the_format_finds_what_lies_in_the_folders(folder):
    train = read_manifests([folder / name for name in TRAIN])
    val = read_manifests([folder / name for name in VAL])
    assert train.classes == ("cat", "cow", "dog")
    assert len(train.images) + len(val.images) == 24
    assert 0 < len(val.images) < 12
    for image in (*train.images, *val.images):
        assert train.classes[image.tags[0]] == image.file.split("/")[0]


def test_the_backbone_is_trained_and_its_cams_are_inferred(folder):
    tensors, _ = load_tensors(folder / "m")
    assert tensors["backbone.stem.0.weight"].shape == (16, 3, 7, 7)
    shard = Shard(folder / "v0.zip")
    for image in read_manifests([folder / "v0.json"]).images:
        classes, scores = shard.scores(image.id, (48, 56), counts_from=0)
        assert classes == list(image.tags)
        assert scores.shape == (1, 48, 56)


def test_a_plan_knows_both(folder):
    rules = str(folder / "hfpl" / "workflow" / "Snakefile")
    plan = "".join(run_python(folder, "-m", "snakemake", "-n", "-s", rules))
    assert "data_index" in plan
    assert "data_archive" not in plan
