"""What a person sees when the parameters or the data are wrong, before anything runs."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cam.isl.weight=2", "params.yaml: cam.isl.weight: "),
        ("variant=seam-ils", "variant: 'seam-ils' is not in variants; did you mean 'seam-isl'?"),
    ],
)
def test_wrong_values_are_named(tmp_path, snakemake, write_params, setting, message):
    write_params(tmp_path)
    key, _, value = setting.rpartition(".")[2].partition("=")
    path = tmp_path / "params.yaml"
    lines = path.read_text().splitlines()
    section = setting.rpartition(".")[0].rpartition(".")[2]
    starts = (i for i, line in enumerate(lines) if line.startswith(f"  {section}:"))
    start = next(starts) if section else 0
    number = next(i for i in range(start, len(lines)) if lines[i].strip().startswith(f"{key}: "))
    indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
    lines[number] = f"{indent}{key}: {value}"
    path.write_text("\n".join(lines))
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout


def test_an_unknown_key_names_the_nearest(tmp_path, snakemake, write_params):
    write_params(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("log_steps:", "logsteps:"))
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 1
    assert "params.yaml: walk.logsteps: unknown key; did you mean 'log_steps'?" in done.stdout


def test_parameters_do_not_come_from_the_command_line(tmp_path, snakemake, write_params):
    write_params(tmp_path)
    done = snakemake(tmp_path, "-n", "--config", "dataset=voc")
    assert done.returncode == 1
    assert "--config dataset: unknown" in done.stdout
    assert ", line " not in done.stdout
    assert "Traceback" not in done.stdout


def test_a_setting_that_cannot_be_is_one_line(tmp_path, snakemake, write_params):
    write_params(tmp_path)
    done = snakemake(tmp_path, "-n", "--config", "threads=abc")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "config" in line.split("--", 1)[-1]]
    assert line == "snakemake: error: --config threads=abc: expected a whole number"


def test_a_training_gets_the_gpus_that_it_asks_for_or_does_not_start(
    tmp_path, snakemake, write_params
):
    write_params(tmp_path)
    done = snakemake(tmp_path, "--cores", "2", "--config", "gpu=2")
    assert done.returncode == 1
    assert "--config gpu=2: jobs have 1 together; add --resources gpu=2" in done.stdout
    assert not (tmp_path / "results").exists()


def test_a_dry_run_needs_no_data(tmp_path, snakemake, write_params):
    write_params(tmp_path, "photographs", "datasets.photographs.root=nowhere")
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 0, done.stdout
    assert "data_index" in done.stdout
    assert "params.yaml: datasets.photographs.root: nowhere: no such folder; " in done.stdout


def test_a_missing_folder_is_named(tmp_path, snakemake, write_params):
    write_params(tmp_path, "photographs", "datasets.photographs.root=nowhere")
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 1
    assert "params.yaml: datasets.photographs.root: nowhere: no such folder; " in done.stdout
    assert not (tmp_path / "results").exists()  # found before anything began


def test_lost_weights_do_not_hinder_a_plan_and_stop_a_run_with_their_source(
    tmp_path, snakemake, write_params
):
    write_params(tmp_path, "micro", "network.weights=data/net.params", "cam.weights=my net.pth")
    plan = snakemake(tmp_path, "-n")
    assert plan.returncode == 0, plan.stdout
    assert "weights_missing" in plan.stdout
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 1
    assert not (tmp_path / "results").exists()  # found before anything began
    for name, source in (("data/net.params", "drive.google.com"), ("my net.pth", "YudeWang/SEAM")):
        (line,) = (t for t in done.stdout.splitlines() if t.startswith(f"{name}: "))
        assert "no such file" in line
        assert source in line


def test_weights_that_are_there_are_not_asked_for(tmp_path, snakemake, write_params):
    write_params(tmp_path, "micro", "network.weights=net.params")
    (tmp_path / "net.params").write_bytes(b"")
    plan = snakemake(tmp_path, "-n")
    assert plan.returncode == 0, plan.stdout
    assert "weights_missing" not in plan.stdout
    assert "rule pretrain" not in plan.stdout


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("labels.csv", "labels.csv: line 13: 'c.jpg' is not in images"),
        ("masks/a.png", "masks/a.png: not a readable mask"),
    ],
)
def test_a_mistake_in_a_folder_is_found_before_any_training(
    tmp_path, snakemake, write_params, file, message
):
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    names = [f"{letter}.jpg" for letter in "abdefghijkl"]
    for name in names:
        Image.new("RGB", (40, 30)).save(root / "images" / name)
    (root / "labels.csv").write_text("\n".join(["file,tags", *(f"{n},cat" for n in names), ""]))
    with (root / file).open("a") as wrong:
        wrong.write("c.jpg,cat\n")
    entry = json.dumps({"format": "folder", "root": "photos", "max_side": 48, "val_share": 0.5})
    write_params(tmp_path, "micro", "dataset=f", f"datasets.f={entry}")
    done = snakemake(tmp_path, "--cores", "4")
    assert done.returncode == 1
    assert message in done.stdout
    assert "Cannot restore" not in done.stdout
    assert not (tmp_path / "results/f/pretrain").exists()  # although cores were idle


def test_fewer_photographs_than_a_batch_are_found_before_any_training(
    tmp_path, snakemake, write_params
):
    root = tmp_path / "photos"
    (root / "images").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.new("RGB", (40, 30), (ord(name[0]), 0, 0)).save(root / "images" / name)
    (root / "labels.csv").write_text("file,tags\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n")
    entry = json.dumps({"format": "folder", "root": "photos", "max_side": 48, "val_share": 0.3})
    write_params(tmp_path, "micro", "dataset=f", f"datasets.f={entry}")
    done = snakemake(tmp_path, "--cores", "2")
    assert done.returncode == 1
    assert "2 training images are fewer than a batch of " in done.stdout
    assert "lower cam.batch in the parameters, or add images" in done.stdout
    assert not (tmp_path / "results/f/pretrain").exists()


def test_the_code_of_another_checkout_does_not_run_this_one_s_rules(
    repository, tmp_path, write_params
):
    write_params(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(repository / "workflow", other / "workflow")
    (other / "hfpl").mkdir()
    (other / "hfpl" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "-s", other / "workflow/Snakefile"],
        env={**os.environ, "PYTHONPATH": str(repository)}, cwd=tmp_path, text=True,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"the rules are those of {other}, the code would be that of {repository}" in done.stderr
    assert "Traceback" not in done.stderr
