"""A fifth method, written as docs/extend.md says, trains with ISL and FSL attached."""

import csv
from pathlib import Path

import pytest

from hfpl.storage.shards import Shard
from tests.extend.page import copied_package, example, run_commands


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repository: Path) -> Path:
    """Folder with a copy of the package, the page's file in it, and what two short runs wrote."""
    folder = copied_package(repository, tmp_path_factory.mktemp("fifth"))
    code, command = example(repository, "A CAM method")
    (folder / "hfpl" / "plugins" / "methods" / "peak.py").write_text(code, encoding="utf-8")
    params = ["--params", "peak.yaml"]
    given = ["--images", "shapes.zip", "--threads", "1"]
    train, val = ["t0.json", "t1.json"], ["v0.json", "v1.json"]
    commands = [
        # The page's command, on the preset that trains for a few steps.
        ["params", "micro", *command[2:]],
        ["data", "archive", *params, "--archive", "shapes.zip", "--digest", "shapes.json"],
        [
            "data",
            "index",
            *params,
            *given[:2],
            "--train-manifests",
            *train,
            "--val-manifests",
            *val,
        ],
    ]
    for variant in ("peak", "peak-isl-fsl"):
        chosen = [*params, "--variant", variant, *given, "--model", f"{variant}.safetensors"]
        commands += [
            ["cam", "train", *chosen, "--manifests", *train, "--history", f"{variant}.csv"],
            ["cam", "infer", *chosen, "--manifest", "v0.json", "--cams", f"{variant}.zip"],
        ]
    run_commands(folder, commands)
    return folder


def test_the_added_losses_attach_without_a_line_of_it(trained):
    for variant, added in (("peak", []), ("peak-isl-fsl", ["isl_cls", "fsl"])):
        with (trained / f"{variant}.csv").open(encoding="utf-8", newline="") as file:
            history = list(csv.DictReader(file))
        assert list(history[0]) == ["step", "total", "cls", *added]
        assert len(history) > 5
    models = [(trained / f"{v}.safetensors").read_bytes() for v in ("peak", "peak-isl-fsl")]
    assert models[0] != models[1]


def test_its_cams_are_inferred(trained):
    shard = Shard(trained / "peak-isl-fsl.zip")
    found = [shard.scores(name, (48, 48), counts_from=0) for name in shard.ids]
    assert any(classes for classes, _ in found)
    assert max(scores.max() for classes, scores in found if classes) > 0.9
