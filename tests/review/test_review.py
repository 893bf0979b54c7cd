"""Which photographs a person should look at: scores, the list, and the page's files."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from hfpl.numerics import Runtime
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.stages.review.listing import (
    Scored,
    contradictions,
    read_scores,
    write_list,
    write_scores,
)
from hfpl.stages.review.page import write_page
from hfpl.stages.review.scores import doubt, seen_classes, shares
from hfpl.storage.manifest import ImageRecord, Manifest, write_manifest
from hfpl.storage.plain_yaml import load_yaml
from hfpl.storage.shards import write_shard

CLASSES = ("<script>alert(1)</script>", "dog", "=cat")
FILES = ["images/<script>alert(2)<!--.jpg", "images/b c.jpg", "images/c.jpg"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_a_contradiction_is_where_the_classifier_would_decide_otherwise(seen, tags):
    tags = {k for k in tags if k < len(seen)}
    found = contradictions(seen, tags)
    assert {c.label - 1 for c in found} == {
        k for k, p in enumerate(seen) if (p > 0.5) != (k in tags)
    }
    sizes = [abs((c.label - 1 in tags) - c.probability) for c in found]
    assert sizes == pytest.approx([c.size for c in found])
    assert sizes == sorted(sizes, reverse=True)


def test_doubt_is_the_mean_entropy():
    sure = np.zeros((3, 4, 5), np.float32)
    sure[1] = 1
    assert doubt(sure) == pytest.approx(0, abs=1e-6)
    assert doubt(np.full((3, 4, 5), 1 / 3, np.float32)) == pytest.approx(1)
    half = sure.copy()
    half[:, :2] = 1 / 3
    assert doubt(half) == pytest.approx(0.5, abs=1e-6)


def test_shares_are_of_classes_that_are_there():
    labels = np.zeros((4, 5), np.int64)
    labels[0], labels[1:3, 0] = 2, 3
    assert shares(labels) == {2: 0.25, 3: 0.1}


@pytest.mark.parametrize("method", ["cam", "seam", "puzzle", "ppc"])
def test_the_classifier_is_asked_without_its_tags(method):
    """Whatever the tags are, the answer is the same, twice over."""
    params = validate_params(load_yaml(preset_text("micro")))
    torch.manual_seed(0)
    backbone = build_backbone(params.network.backbone, params.network.options)
    options = params.cam.methods.get(method, {})
    network = build_method(method, backbone, 3, options).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    image, runtime = Image.fromarray(pixels), Runtime(torch.device("cpu"), 0)
    answers = [
        seen_classes(network, image, torch.tensor([tags]), runtime)
        for tags in ([1.0, 0, 0], [0, 1.0, 1.0], [1.0, 0, 0])
    ]
    assert answers[0].shape == (3,)
    assert ((answers[0] > 0) & (answers[0] < 1)).all()
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], rtol=1e-5)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of three photographs, as far as the page needs it."""
    monkeypatch.chdir(tmp_path)
    entry = json.dumps({"format": "folder", "root": "photos", "max_side": 64, "val_share": 0.3})
    text = preset_text("micro", ["dataset=pets", f"datasets.pets={entry}", "shards=1"])
    Path("params.yaml").write_text(text)
    rng = np.random.default_rng(0)
    scored = {
        "<script>alert(2)<!--": Scored((0.1, 0.9, 0.2), 0.25, {2: 0.5}),
        "b c": Scored((0.1, 0.6, 0.1), 0.75, {}),
        "c": Scored((0.1, 0.6, 0.1), 0.125, {2: 0.25}),
    }
    common = Path("results/pets")
    for split, files, tags in (("train", FILES[:2], [(0,), (1,)]), ("val", FILES[2:], [(2,)])):
        records = []
        for file, own in zip(files, tags, strict=True):
            path = Path("photos") / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
            records.append(ImageRecord(path.stem, file, 48, 64, own, ""))
        records.sort(key=lambda record: record.id)
        manifest = Manifest("pets", split, CLASSES, tuple(records))
        write_manifest(common / f"data/{split}-0.json", manifest)
        folder = common / "seam-isl-fsl"
        write_scores(folder / f"review/{split}-0.json", {r.id: scored[r.id] for r in records})
        with write_shard(folder / f"segment/{split}-0.crf.zip", CLASSES) as shard:
            for record in records:
                mask = np.zeros((48, 64), np.uint8)
                mask[:24] = 2
                mask[30:, :9] = 255
                shard.add_mask(record.id, mask)
    return tmp_path


def params_of(run: Path):
    return validate_params(load_yaml((run / "params.yaml").read_text()))


def test_the_list_has_the_most_suspicious_first(run):
    folder = Path("results/pets/seam-isl-fsl/review")
    said = write_list(
        None,
        train_manifests=[Path("results/pets/data/train-0.json")],
        val_manifests=[Path("results/pets/data/val-0.json")],
        scores=[folder / "train-0.json", folder / "val-0.json"],
        table=folder / "photographs.csv",
    )
    assert said == "2 of 3 photographs have tags that the classifier contradicts"
    rows = list(csv.DictReader(io.StringIO((folder / "photographs.csv").read_text())))
    assert [row["file"] for row in rows] == [FILES[0], FILES[2], FILES[1]]
    assert rows[0]["not seen"] == f"{CLASSES[0]} (0.10)"
    assert rows[0]["seen without a tag"] == "dog (0.90)"
    assert rows[0]["contradiction"] == "0.9000"
    assert (rows[1]["tags"], rows[1]["not seen"]) == ("'=cat", "'=cat (0.10)")
    assert (rows[2]["contradiction"], rows[2]["unsure"]) == ("", "0.7500")


def test_the_page_is_files_that_a_browser_opens(run):
    assert write_page(params_of(run), Path("results"), Path("page"), 32) == 3
    page = run / "page"
    text = (page / "index.html").read_text()
    # Nothing comes from elsewhere.
    assert not re.findall(r"""(?:src|href)=["'](?!page|data|\.)""", text)
    data = (page / "data.js").read_text()
    assert "<" not in data
    content = json.loads(data.removeprefix("const DATA = ").rstrip(";\n"))
    assert [p["file"] for p in content["photographs"]] == [FILES[0], FILES[2], FILES[1]]
    assert [c["name"] for c in content["classes"]] == list(CLASSES)
    assert content["photographs"][0]["against"] == [
        {"label": 1, "probability": 0.1, "tagged": True},
        {"label": 2, "probability": 0.9, "tagged": False},
    ]
    for number in range(3):
        photograph = Image.open(page / "photographs" / f"{number}.jpg")
        mask = Image.open(page / "labels" / f"{number}.png").convert("RGBA")
        assert photograph.size == mask.size == (32, 24)
        alpha = np.asarray(mask)[..., 3]
        assert (alpha[:12] == 255).all()
        assert (alpha[12:] == 0).all()  # background, and what is not labelled
    # An earlier page is replaced, anything else is not.
    assert write_page(params_of(run), Path("results"), Path("page"), 64) == 3
    assert Image.open(page / "photographs" / "0.jpg").size == (64, 48)
    Path("other").mkdir()
    Path("other/note.txt").write_text("mine")
    with pytest.raises(ValueError, match="other: is there, and is no page made before"):
        write_page(params_of(run), Path("results"), Path("other"), 32)
    assert Path("other/note.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "lost",
    ["data/val-0.json", "seam-isl-fsl/review/train-0.json", "seam-isl-fsl/segment/val-0.crf.zip"],
)
def test_a_run_that_is_not_finished_has_no_page(run, lost):
    Path("results/pets", lost).unlink()
    with pytest.raises(ValueError, match=f"{lost}: not there; the run is not finished: 'snakemake"):
        write_page(params_of(run), Path("results"), Path("page"), 32)
    assert not Path("page").exists()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"a": 1}', '{"a": {"seen": [2], "unsure": 0, "shares": {}}}']
)
def test_scores_that_are_none_are_named(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=r"x\.json: not scores of photographs: "):
        read_scores([tmp_path / "x.json"])
    with pytest.raises(ValueError, match=r"y\.json: no such file"):
        read_scores([tmp_path / "y.json"])
