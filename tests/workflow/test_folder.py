"""A folder of photographs with names that break careless code, through the whole DAG."""

import csv
import hashlib
import itertools
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.cli import main
from hfpl.images.palette import decode_mask, encode_mask
from hfpl.params.presets import preset_text
from hfpl.storage.shards import Shard

pytestmark = pytest.mark.slow

ROOT = "it's <b>my $HOME; ü {PARAMS.ablation.remark} {os.environ[HOME]} {x}"
REMARK = "x'; touch PWNED; : '$(touch PWNED) `touch PWNED` {PARAMS.variant} {x!r:>{y}}"
NAMES = ["a b", "it's", 'say "x"', "ünï", "$HOME", "a;b", "<b>bold", "-rf", "50%", "{x}", "a&b",
         "`id`", "#1", "*", "a.b", "日本"]  # fmt: skip
TAGS = ("<b>cat</b>", "$x$ it's", '"grüne" Wiese\'')
RUN = Path("results/nasty/seam-isl-fsl")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, snakemake, write_params) -> Path:
    """Folder of a finished run without any mask."""
    folder = tmp_path_factory.mktemp("folder")
    write_photographs(folder / ROOT)
    entry = json.dumps({"format": "folder", "root": ROOT, "max_side": 48, "val_share": 0.25})
    settings = ("dataset=nasty", f"datasets.nasty={entry}", "shards=2")
    write_params(folder, "micro", *settings, f"ablation.remark={json.dumps(REMARK)}")
    done = snakemake(folder, "--cores", "2")
    assert done.returncode == 0, done.stdout
    return folder


def write_photographs(root: Path) -> None:
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    with (root / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "tags"])
        for number, name in enumerate(NAMES):
            pixels = rng.integers(0, 256, (60 + number, 80 - 3 * number, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{name}.jpg")
            writer.writerow([f"{name}.jpg", ";".join(TAGS[: 1 + number % 3])])


def images_of(folder: Path, split: str) -> list[dict]:
    manifests = sorted((folder / "results/nasty/data").glob(f"{split}-?.json"))
    assert len(manifests) == 2
    return [i for path in manifests for i in json.loads(path.read_text("utf-8"))["images"]]


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    images = [*images_of(folder, "train"), *images_of(folder, "val")]
    return {i["id"]: (i["height"], i["width"]) for i in images}


def test_every_photograph_gets_masks(finished, tmp_path):
    expected = sizes(finished)
    assert set(expected) == set(NAMES)
    for stage, ending in (("walk", ".zip"), ("segment", ".crf.zip")):
        shards = [
            str(finished / RUN / stage / f"{split}-{k}{ending}")
            for split in ("train", "val")
            for k in range(2)
        ]
        out = tmp_path / stage
        assert main(["export", *shards, "--out", str(out)]) == 0
        assert {p.name for p in out.iterdir()} == {"classes.csv", *(f"{n}.png" for n in NAMES)}
        with (out / "classes.csv").open(encoding="utf-8", newline="") as file:
            assert [row["name"] for row in csv.DictReader(file)] == ["background", *sorted(TAGS)]
        for name, size in expected.items():
            mask = decode_mask((out / f"{name}.png").read_bytes())
            assert mask.shape == size
            assert mask.max() <= len(TAGS)
    assert (finished / RUN / "segment" / "model.safetensors").exists()


def test_without_masks_nothing_is_scored_and_the_words_say_so(finished, capsys):
    table = finished / RUN / "evaluate" / "table.json"
    assert json.loads(table.read_text()) == {"rows": []}
    assert table.with_suffix(".csv").read_text().startswith("dataset,variant,split,")
    assert main(["evaluate", "show", str(table)]) == 0
    assert "No scores: no image has a ground truth." in capsys.readouterr().out


def test_the_page_shows_names_as_text(finished, snakemake):
    done = snakemake(finished, "--report", "report.html")
    assert done.returncode == 0, done.stdout
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "contact-val.png" in page
    assert "<b>cat</b>" not in page


def test_changes_are_noticed_and_masks_are_scored(finished, snakemake):
    assert "Nothing to be done" in snakemake(finished, "-n").stdout
    root = finished / ROOT
    (root / "masks").mkdir()
    for name in NAMES:
        with Image.open(root / "images" / f"{name}.jpg") as image:
            mask = np.full(image.size[::-1], 2, np.uint8)
        (root / "masks" / f"{name}.png").write_bytes(encode_mask(mask))
    plan = snakemake(finished, "-n").stdout
    assert "data_masks" in plan
    planned = int(re.search(r"(\d+) jobs would run", plan)[1])
    # No network sees a mask: none is trained anew, and none is applied anew.
    others = (
        "data_index pretrain cam_train cam_infer pseudo affinity walk segment_train segment_test"
    )
    assert not [rule for rule in others.split() if rule in plan]
    done = snakemake(finished, "--cores", "2")
    assert done.returncode == 0, done.stdout
    told = re.findall(r"(\d+) of (\d+) steps", done.stdout)
    assert told[-1] == (str(planned), str(planned))
    rows = json.loads((finished / RUN / "evaluate" / "table.json").read_text("utf-8"))["rows"]
    assert {(r["split"], r["images"]) for r in rows} == {("train", 14), ("val", 2)}
    assert all(set(r["iou"]) == {"background", *TAGS} for r in rows)
    labelled = (finished / RUN / "segment" / f"val-{k}.crf.zip" for k in range(2))
    assert sum(len(Shard(path).ids) for path in labelled) == 2
    done = snakemake(finished, "--report", "masks.html")
    assert done.returncode == 0, done.stdout
    assert "<b>cat</b>" not in (finished / "masks.html").read_text(encoding="utf-8")
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_corrected_masks_are_learned_from_and_nothing_else_runs_again(finished, snakemake):
    held_out = {image["id"] for image in images_of(finished, "val")}
    corrections = finished / ROOT / "corrections"
    corrections.mkdir()
    chosen = [next(n for n in NAMES if n not in held_out), next(n for n in NAMES if n in held_out)]
    for name in chosen:
        (corrections / f"{name}.png").write_bytes(
            (finished / ROOT / "masks" / f"{name}.png").read_bytes()
        )
    network = finished / RUN / "segment" / "network.safetensors"
    before = network.read_bytes()
    done = snakemake(finished, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert "1 corrected masks indexed" in done.stdout
    assert (
        f"1 corrected photographs are of val, and nothing learns of them ({chosen[1]!r})"
        in done.stdout
    )
    ran = {
        line.split(":")[0]
        for line in done.stdout.splitlines()
        if line.startswith(("cam ", "walk", "affinity", "pseudo ", "segment train", "data "))
    }
    assert ran == {"data corrections", "segment train"}
    assert network.read_bytes() != before
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_a_photograph_to_hold_out_trains_nothing_and_labels_only_its_own_shard(finished, snakemake):
    def hashed(text: str) -> int:
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    later = (f"later {k}" for k in itertools.count())
    name = next(n for n in later if hashed(f"split {n}") / 2**64 < 0.25)
    shard = f"val-{hashed(name) % 2}"
    labels = finished / ROOT / "labels.csv"
    before = labels.read_bytes()
    labels.write_bytes(before + f"{name}.jpg,{TAGS[0]}\n".encode())
    Image.new("RGB", (50, 40)).save(finished / ROOT / "images" / f"{name}.jpg")
    run = finished / RUN
    files = [p for p in run.rglob("*") if p.is_file() and "logs" not in p.parts]
    files += (finished / "results/nasty").glob("pretrain/*.safetensors")
    made = {path: path.stat().st_mtime_ns for path in files}
    done = snakemake(finished, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert name in {image["id"] for image in images_of(finished, "val")}
    again = {p.relative_to(run) for p in made if p.stat().st_mtime_ns != made[p]}
    of_shards = {path for path in again if path.parts[0] not in ("evaluate", "report", "review")}
    assert of_shards == {
        Path("cam") / f"{shard}.zip",
        Path("pseudo") / f"{shard}.low.zip",
        Path("pseudo") / f"{shard}.high.zip",
        Path("walk") / f"{shard}.zip",
        Path("segment") / f"{shard}.plain.zip",
        Path("segment") / f"{shard}.crf.zip",
    }
    assert "Nothing to be done" in snakemake(finished, "-n").stdout
    # As it was, for the tests that follow.
    labels.write_bytes(before)
    (finished / ROOT / "images" / f"{name}.jpg").unlink()
    plan = snakemake(finished, "-n").stdout
    assert "cam_infer" in plan
    assert "photographs, or their tags" in plan
    assert "cam_train" not in plan
    done = snakemake(finished, "--cores", "2")
    assert done.returncode == 0, done.stdout


def test_no_text_of_the_parameters_is_run_or_filled_in(finished, snakemake):
    runs = ("ablation.variants=[cam]", "ablation.seeds=[0]", "ablation.sweeps={}")
    entry = {"format": "folder", "root": ROOT, "max_side": 48, "val_share": 0.25}
    given = ("dataset=nasty", f"datasets.nasty={json.dumps(entry)}", "shards=2")
    text = preset_text("micro", (*given, *runs, f"ablation.remark={json.dumps(REMARK)}"))
    params = finished / "params.yaml"
    before = params.read_text("utf-8")
    params.write_text(text, "utf-8")
    done = snakemake(finished, "--cores", "2", "--config", "rows=rows", "--", "ablation")
    assert done.returncode == 0, done.stdout
    table = next((finished / "results").rglob("ablation/table.md")).read_text("utf-8")
    assert "{PARAMS.variant}" in table
    params.write_text(before, "utf-8")
    assert not list(finished.rglob("PWNED"))
    told = os.environ["HOME"] + " {x}"
    logs = [p for p in finished.rglob("*.log") if told in p.read_text("utf-8", "replace")]
    assert logs == []


def test_photographs_with_other_times_or_not_at_hand_change_nothing(finished, snakemake):
    root, away = finished / ROOT, finished / "away"
    for path in root.rglob("*"):
        os.utime(path, ns=(1, 10**18))
    assert "Nothing to be done" in snakemake(finished, "-n").stdout
    root.rename(away)
    assert "Nothing to be done" in snakemake(finished, "--cores", "2").stdout
    done = snakemake(finished, "--cores", "2", "--forcerun", "cam_infer")
    assert done.returncode == 1
    assert f"params.yaml: datasets.nasty.root: {ROOT}: no such folder" in done.stdout
    away.rename(root)
    assert "Nothing to be done" in snakemake(finished, "-n").stdout


def test_a_mistake_in_the_list_costs_nothing_that_was_made(finished, snakemake):
    labels = finished / ROOT / "labels.csv"
    before = labels.read_bytes()
    manifests = sorted((finished / "results/nasty/data").glob("*.json"))
    contents = [path.read_bytes() for path in manifests]
    labels.write_bytes(before + b"nowhere.jpg,cat\n")
    done = snakemake(finished, "--cores", "2")
    assert done.returncode == 1
    assert "'nowhere.jpg' is not in images" in done.stdout
    assert len(manifests) == 10
    assert [path.read_bytes() for path in manifests] == contents


def test_a_touched_image_is_noticed(finished, snakemake):
    os.utime(finished / ROOT / "images" / "it's.jpg", ns=(1, 1))
    assert "data_index" in snakemake(finished, "-n").stdout
