"""New photographs: the model's file is enough, results are those of the stage's test."""

import csv
import errno
import os
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hfpl.cli import main
from hfpl.images.palette import decode_mask, voc_palette
from hfpl.jobs.runtime import set_up
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.stages.segment.refine import enlarged_labels
from hfpl.stages.segment.segmenter import draw_overlay
from hfpl.stages.segment.test import segment_shard
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.shards import Shard
from hfpl.storage.tensors import load_tensors, save_tensors
from tests.segment.conftest import CLASSES


def picture(size=(40, 30), seed=0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "b c.png", "ü.png")):
        picture(seed=seed).save(folder / name)
    return folder


def run(model, *arguments) -> int:
    line = ["segment", "--model", model, *arguments, "--device", "cpu", "--threads", 1]
    return main([str(word) for word in line])


def mask_of(path) -> np.ndarray:
    return decode_mask(path.read_bytes())


def test_the_results_are_those_of_the_stages_test(params, model, photos, tmp_path):
    names = ("a", "b c", "ü")
    records = tuple(ImageRecord(n, f"{n}.png", 30, 40, (), "") for n in names)
    write_manifest("m.json", Manifest("test", "val", CLASSES, records))
    write_masks("k.json", [MaskRecord(n, f"{n}.png", "") for n in names])
    files = [tmp_path / "plain.zip", tmp_path / "refined.zip"]
    segment_shard(
        JOBS["segment_test"].settings(params),
        set_up("cpu", 1),
        images=photos,
        manifest=tmp_path / "m.json",
        masks=tmp_path / "k.json",
        network=model,
        plain=files[0],
        refined=files[1],
    )
    assert run(model, "photos", "--out", "crf") == 0
    assert run(model, "photos", "--out", "plain", "--no-crf") == 0
    differences = 0
    for name in names:
        plain, refined = (
            mask_of(tmp_path / out / "masks" / f"{name}.png") for out in ("plain", "crf")
        )
        np.testing.assert_array_equal(plain, Shard(files[0]).mask(name))
        np.testing.assert_array_equal(refined, Shard(files[1]).mask(name))
        assert len(np.unique(plain)) > 1
        differences += (plain != refined).sum()
        overlay = np.asarray(Image.open(tmp_path / "crf" / "overlays" / f"{name}.jpg"))
        expected = draw_overlay(np.asarray(Image.open(photos / f"{name}.png")), refined)
        assert np.abs(overlay.astype(int) - expected).mean() < 12
    assert differences > 0


def test_the_classes_are_listed_with_their_colours(model, photos, tmp_path):
    assert run(model, "photos/a.png") == 0
    with (tmp_path / "segmented" / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["background", *CLASSES]
    for label, row in enumerate(rows):
        assert int(row["label"]) == label
        assert [int(row[c]) for c in ("red", "green", "blue")] == voc_palette()[label].tolist()
    assert Image.open(tmp_path / "segmented" / "masks" / "a.png").mode == "P"


def test_a_large_photograph_is_labelled_at_the_training_images_scale(model, photos, tmp_path):
    small = picture((48, 36))
    small.resize((192, 144), Image.Resampling.BICUBIC).save(photos / "large.png")
    small.save(photos / "small.png")
    assert run(model, "photos/large.png", "photos/small.png", "--no-crf") == 0
    masks = tmp_path / "segmented" / "masks"
    large, expected = mask_of(masks / "large.png"), mask_of(masks / "small.png")
    assert large.shape == (144, 192)
    agreement = (large[2::4, 2::4] == expected).mean()
    assert agreement > 0.9
    assert len(np.unique(expected)) > 1
    assert run(model, "photos/large.png", "--no-crf", "--long-side", "192", "--out", "own") == 0
    own = mask_of(tmp_path / "own" / "masks" / "large.png")
    assert (own != large).mean() > 1 - agreement


def test_photographs_are_turned_as_their_exif_says(model, photos, tmp_path):
    image = picture((40, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(photos / "turned.png", exif=exif)
    image.transpose(Image.Transpose.ROTATE_270).save(photos / "upright.png")
    assert run(model, "photos/turned.png", "photos/upright.png") == 0
    turned, upright = (
        mask_of(tmp_path / "segmented" / "masks" / f"{n}.png") for n in ("turned", "upright")
    )
    assert turned.shape == (40, 30)
    np.testing.assert_array_equal(turned, upright)


def state(folder) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "classes.csv"
    }


def test_finished_photographs_are_skipped(params, model, photos, tmp_path, capsys):
    out = tmp_path / "segmented"
    assert run(model, "photos") == 0
    assert "3 photographs labelled; results in segmented" in capsys.readouterr().err
    before = state(out)
    (out / "masks" / "a.png").unlink()
    (out / "overlays" / "ü.jpg").unlink()
    assert run(model, "photos") == 0
    assert "2 photographs labelled, 1 were finished" in capsys.readouterr().err
    after = state(out)
    assert {n: c for n, (c, _) in after.items()} == {n: c for n, (c, _) in before.items()}
    assert after["masks/b c.png"] == before["masks/b c.png"]
    assert run(model, "photos", "--force") == 0
    forced = state(out)
    assert all(forced[n][0] == before[n][0] and forced[n][1] > after[n][1] for n in forced)


def test_another_photograph_model_or_setting_is_not_taken_for_finished(
    params, model, photos, tmp_path, capsys
):
    assert run(model, "photos/a.png") == 0
    capsys.readouterr()
    picture(seed=9).save(photos / "a.png")
    assert run(model, "photos/a.png") == 0
    tensors, metadata = load_tensors(model)
    tensors["cls_conv.bias"] = tensors["cls_conv.bias"] + torch.tensor([0.0, 5.0, 0.0, 0.0])
    save_tensors("other.safetensors", tensors, metadata)
    assert run("other.safetensors", "photos/a.png") == 0
    (tmp_path / "p.yaml").write_text(preset_text("micro", ["segment.test.scales=[1.0]"]))
    for extra in (["--no-crf"], ["--long-side", "20"], ["--settings", "p.yaml"]):
        assert run("other.safetensors", "photos/a.png", *extra) == 0
    err = capsys.readouterr().err
    assert err.count("1 photographs labelled; ") == 5
    assert "finished" not in err


def test_what_cannot_be_read_is_reported_and_the_rest_is_done(model, photos, tmp_path, capsys):
    (photos / "bad.jpg").write_bytes(b"no image\n")
    content = (photos / "a.png").read_bytes()
    (photos / "cut.png").write_bytes(content[: len(content) // 2])
    originals = {p.name: p.read_bytes() for p in photos.iterdir()}
    assert run(model, "photos") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("photos/bad.jpg: not a readable photograph: ")
    assert lines[1].startswith("photos/cut.png: not a readable photograph: ")
    assert "error: 2 of 5 photographs failed: photos/bad.jpg, photos/cut.png;" in lines[2]
    found = {p.name for p in (tmp_path / "segmented" / "masks").iterdir()}
    assert found == {"a.png", "b c.png", "ü.png"}
    assert {p.name: p.read_bytes() for p in photos.iterdir()} == originals


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_photograph(model, photos, capsys):
    os.mkdir("segmented")
    open("segmented/overlays", "w").close()
    assert run(model, "photos") == 1
    *lines, last = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("not labelled: segmented/overlays: " in line for line in lines)
    assert "error: 3 of 3 photographs failed: " in last


def test_a_photograph_whose_result_cannot_be_written_does_not_end_the_batch(
    model, photos, tmp_path, capsys
):
    Image.new("RGB", (40, 30)).save(photos / "a first.png")
    # A folder where its mask would go.
    (tmp_path / "segmented" / "masks" / "a first.png").mkdir(parents=True)
    assert run(model, "photos") == 1
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("photos/a first.png: not labelled: ")
    assert "error: 1 of 4 photographs failed: photos/a first.png; results in segmented" in last
    masks = {p.name for p in (tmp_path / "segmented" / "masks").iterdir()}
    assert masks == {"a first.png", "a.png", "b c.png", "ü.png"}


def test_a_name_as_long_as_a_file_system_takes_is_labelled(model, photos, tmp_path):
    name = "ü" * 125 + "x.png"
    assert len(name.encode()) == 255
    Image.new("RGB", (40, 30)).save(photos / name)
    assert run(model, f"photos/{name}") == 0
    assert (tmp_path / "segmented" / "masks" / name).is_file()


def test_an_overlay_wider_than_a_jpeg_is_shrunk_and_its_mask_is_not(model, photos, tmp_path):
    Image.new("RGB", (66_000, 8)).save(photos / "panorama.png")
    assert run(model, "photos/panorama.png") == 0
    with Image.open(tmp_path / "segmented" / "masks" / "panorama.png") as mask:
        assert mask.size == (66_000, 8)
    with Image.open(tmp_path / "segmented" / "overlays" / "panorama.jpg") as overlay:
        assert 60_000 < overlay.width <= 65_500


def test_a_full_disk_ends_the_batch_in_one_line(model, photos, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hfpl.stages.segment.apply._write", full)
    assert run(model, "photos") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "photos/a.png: not labelled: No space left on device" in line


def broken(model, change):
    tensors, metadata = load_tensors(model)
    change(metadata["segment"])
    save_tensors("broken.safetensors", tensors, metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("head"), "its description is broken: head: "),
        (lambda d: d.update(long_side=0), "its description is broken: long_side: "),
        (lambda d: d["test"].update(scales=[]), r"its description is broken: test.scales: "),
        (
            lambda d: d.update(backbone="../os"),
            "its description is broken: backbone: ",
        ),
        (
            lambda d: d["options"].pop("stride"),
            "this version: options.stride: missing",
        ),
        (lambda d: d["test"].update(refiner="../os"), "broken: test.refiner: "),
        (
            lambda d: d["test"].update(refiner="crff"),
            "this version: test.refiner: no file 'crff.py' in hfpl/plugins/refiners; did you",
        ),
        (lambda d: d["test"].update(scale=1), "this version: test.scale: unknown key"),
        (lambda d: d.update(classes=["a"]), "tensor 'cls_conv.bias' has shape"),
        (lambda d: d.update(classes=["a"] * 255), "its description is broken: classes: "),
        (lambda d: d["head"].update(channels=8192), "tensor .* has shape"),
        (lambda d: d["options"].update(widths=[8192] * 5), "tensor .* has shape"),
        (lambda d: d["options"].update(widths=[10**9] * 5), "this version: options.widths: "),
    ],
)
def test_a_model_that_does_not_describe_itself_is_named(model, photos, capsys, change, message):
    broken(model, change)
    assert run("broken.safetensors", "photos") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(rf"broken\.safetensors: .*{message}", line)


def test_a_model_of_no_numbers_labels_nothing(model, photos, capsys):
    tensors, metadata = load_tensors(model)
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_tensors("nan.safetensors", tensors, metadata)
    assert run("nan.safetensors", "photos") == 1
    assert "holds values that are no numbers" in capsys.readouterr().err


def test_a_model_without_a_description_is_named(model, photos, capsys):
    tensors, _ = load_tensors(model)
    save_tensors("old.safetensors", tensors)
    assert run("old.safetensors", "photos") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "old.safetensors: does not say which network it holds" in line


@pytest.mark.parametrize("order", [["photos", "--model", "MODEL"], ["--model=MODEL", "photos"],
                                   ["apply", "photos", "--model", "MODEL"]])  # fmt: skip
def test_the_action_may_be_left_out(model, photos, capsys, order):
    line = ["segment", *(word.replace("MODEL", str(model)) for word in order)]
    assert main([*line, "--device", "cpu", "--threads", "1"]) == 0
    assert "3 photographs labelled" in capsys.readouterr().err


def test_the_help_explains_all_forms(capsys):
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "'hfpl segment --model MODEL PHOTOGRAPH ...'" in text
    for action in ("train", "test", "apply"):
        assert f" {action} " in text


def test_enlarged_labels_follow_the_largest_score():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 4, 5), np.float32)
    np.testing.assert_array_equal(enlarged_labels(scores, (4, 5)), scores.argmax(0))
    large = torch.from_numpy(scores)[None]
    large = nn.functional.interpolate(large, (12, 20), mode="bilinear", align_corners=False)
    found = enlarged_labels(scores, (12, 20))
    assert found.dtype == np.uint8
    assert (found == large[0].argmax(0).numpy()).mean() > 0.99


def test_an_overlay_tints_classes_and_leaves_the_background():
    pixels = np.full((2, 2, 3), 100, np.uint8)
    found = draw_overlay(pixels, np.array([[0, 1], [2, 0]], np.uint8))
    assert (found[0, 0] == 100).all()
    assert (found[1, 1] == 100).all()
    for place, label in (((0, 1), 1), ((1, 0), 2)):
        expected = 0.55 * voc_palette()[label] + 0.45 * 100
        assert np.abs(found[place] - expected).max() <= 0.5
