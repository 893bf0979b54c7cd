"""The commands of the tutorial and of the page about results, as they stand there, one after the
other, on drawn pictures in folders of their classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from hfpl.images.palette import decode_mask
from tests.pages.blocks import blocks, run

pytestmark = pytest.mark.slow

FEW = {
    "shards": 1,
    "cam.augmentation.crop": 64,
    "cam.epochs": 1,
    "affinity.augmentation.crop": 64,
    "affinity.epochs": 1,
    "segment.augmentation.crop": 64,
    "segment.iterations": 4,
}
"""Values, in place of those that 'hfpl init' wrote, with which nothing is learned."""
ELSEWHERE = ("make env", ". .venv/bin/activate", "pip install", "hfpl segment onnx")
"""This environment is one already; tests/exports/test_onnx.py has one with onnx."""


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory) -> Path:
    """Where the tutorial's commands, and then those about results, have been run."""
    whole = tmp_path_factory.mktemp("tutorial")
    draw(whole / "photos", 24)
    draw(whole / "more-photos", 3)
    own = whole / "own"
    own.mkdir()
    for block in blocks(repository / "docs" / "tutorial.md"):
        for command in block:
            follow(own, command)
            if command.startswith("hfpl init"):
                set_values(own / "params.yaml", FEW)
    # Of the page about results the photographs lie in the folder itself.
    (own / "photos").symlink_to("../photos")
    (own / "new-photos").symlink_to("../more-photos")
    for block in blocks(repository / "docs" / "results.md"):
        for command in block:
            if command.startswith("snakemake"):
                put_right(own)
            follow(own, command)
    return own


def draw(folder: Path, count: int) -> None:
    """Pictures of two classes: a red one, a green one, and one that shows both in both folders."""
    rng = np.random.default_rng(0)
    for k in range(count):
        for name, channel in (("red", 0), ("green", 1)):
            pixels = rng.integers(60, 120, (80, 100, 3), dtype=np.uint8)
            pixels[20:60, 20 + k : 50 + k, channel] = 250
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"IMG_{k:03}.png")
    both = Image.new("RGB", (100, 80), (250, 250, 0))
    for name in ("red", "green"):
        both.save(folder / name / "both.png")


def follow(folder: Path, command: str) -> None:
    if not command.startswith(ELSEWHERE):
        run(folder, command, MPLBACKEND="agg")


def set_values(file: Path, values: dict[str, object]) -> None:
    yaml = YAML()
    content = yaml.load(file.read_text(encoding="utf-8"))
    for key, value in values.items():
        *sections, name = key.split(".")
        section = content
        for part in sections:
            section = section[part]
        assert name in section, key
        section[name] = value
    yaml.dump(content, file)


def put_right(folder: Path) -> None:
    """What a person does between two commands: an exported task, taken over as it is."""
    tasks = json.loads((folder / "tasks" / "tasks.json").read_text(encoding="utf-8"))
    drawn = [task for task in tasks if task["predictions"][0]["result"]][:1]
    for task in drawn:
        task["annotations"] = task.pop("predictions")
    corrections = folder.parent / "photos" / "corrections"
    corrections.mkdir()
    if drawn:
        (corrections / "project-1.json").write_text(json.dumps(drawn), encoding="utf-8")
        return
    # The network has learned nothing, and may have found nothing: a mask as an editor has it.
    mask = np.zeros((80, 100), np.uint8)
    mask[20:60, 20:50] = 2
    Image.fromarray(mask).save(corrections / "red-IMG_000.png")


def test_every_photograph_has_a_mask_of_its_size(folder: Path):
    assert (folder / "masks" / "classes.csv").exists()
    masks = sorted((folder / "masks").glob("*.png"))
    assert len(masks) == 49
    assert {decode_mask(path.read_bytes()).shape for path in masks} == {(80, 100)}
    labelled = sorted((folder / "labelled" / "masks").rglob("*.png"))
    assert len(labelled) == 8


def test_the_other_files_are_there(folder: Path):
    for name in (
        "review/index.html",
        "coco/instances_train.json",
        "tasks/tasks.json",
    ):
        assert (folder / name).exists(), name


def test_the_correction_was_learned_from(folder: Path):
    (log,) = folder.glob("results/folder/*/segment/logs/train.log")
    assert "1 corrected masks" in log.read_text(encoding="utf-8").splitlines()[-1]
