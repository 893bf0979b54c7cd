"""Unpacked shards: PNG files that other programs open."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfpl.cli import main
from hfpl.exports.masks import export_shards
from hfpl.images.palette import voc_palette
from hfpl.storage.shards import write_shard


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_label_maps_are_exported_with_their_colours(tmp_path):
    masks = {
        name: np.random.default_rng(n).integers(0, 21, (6, 8)).astype(np.uint8)
        for n, name in enumerate(["a", "Gänse 2", "folder/b"])
    }
    with write_shard(tmp_path / "s.zip") as shard:
        for name, mask in masks.items():
            shard.add_mask(name, mask)
    out = tmp_path / "out"
    assert export_shards([tmp_path / "s.zip"], out) == 3
    assert files_below(out) == ["Gänse 2.png", "a.png", "folder/b.png"]
    for name, mask in masks.items():
        with Image.open(out / f"{name}.png") as image:
            assert np.array_equal(np.array(image), mask)
            assert np.array_equal(np.array(image.convert("RGB")), voc_palette()[mask])


def test_a_pattern_that_no_file_fits_asks_whether_the_run_is_finished(tmp_path, capsys):
    pattern = str(tmp_path / "*.crf.zip")
    assert main(["export", pattern, "--out", str(tmp_path / "masks")]) == 1
    assert f"{pattern}: no file is called so; is the run finished?" in capsys.readouterr().err


def test_the_labels_names_lie_beside_the_masks(tmp_path):
    with write_shard(tmp_path / "s.zip", ["cat", "traffic light", 'a "b", ü']) as shard:
        shard.add_mask("a", np.zeros((2, 2), np.uint8))
    assert export_shards([tmp_path / "s.zip"], tmp_path / "out") == 1
    assert files_below(tmp_path / "out") == ["a.png", "classes.csv"]
    with (tmp_path / "out" / "classes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["name"] for row in rows] == ["background", "cat", "traffic light", 'a "b", ü']
    colours = [[int(row[c]) for c in ("red", "green", "blue")] for row in rows]
    assert colours == voc_palette()[:4].tolist()


def test_scores_are_one_grey_picture_with_the_classes_below_each_other(tmp_path):
    scores = np.stack([np.full((4, 5), value, np.float32) for value in (0.0, 0.4, 1.0)])
    with write_shard(tmp_path / "s.zip", counts_from=0) as shard:
        shard.add_scores("a", [2, 5, 7], scores)
        shard.add_scores("untagged", [], np.zeros((0, 4, 5), np.float32))
    assert export_shards([tmp_path / "s.zip"], tmp_path / "out") == 1
    assert files_below(tmp_path / "out") == ["a.png"]
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.mode == "L"
        expected = np.repeat([0, 80, 200], 4)[:, None] * np.ones((1, 5))
        assert np.array_equal(np.array(image), expected)


def test_files_of_an_earlier_export_are_replaced_and_others_stay(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("old")
    (out / "mine.txt").write_text("mine")
    with write_shard(tmp_path / "s.zip") as shard:
        shard.add_mask("a", np.zeros((2, 2), np.uint8))
    export_shards([tmp_path / "s.zip"], out)
    assert files_below(out) == ["a.png", "mine.txt"]
    assert Image.open(out / "a.png").size == (2, 2)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "{tmp}/x"])
def test_nothing_is_written_outside_of_the_folder(tmp_path, name):
    name = name.replace("{tmp}", str(tmp_path))
    with write_shard(tmp_path / "good.zip") as shard:
        shard.add_mask("harmless", np.zeros((2, 2), np.uint8))
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(tmp_path / "good.zip") as old, zipfile.ZipFile(evil, "w") as new:
        for member in old.namelist():
            content = old.read(member).replace(b'"harmless"', f'"{name}"'.encode())
            new.writestr(zipfile.ZipInfo(member.replace("harmless", name)), content)
    out = tmp_path / "folder" / "out"
    out.mkdir(parents=True)
    with pytest.raises(ValueError, match=r"evil\.zip: .*leads outside of"):
        export_shards([evil], out)
    assert files_below(tmp_path) == ["evil.zip", "good.zip"]


def test_a_link_in_the_folder_does_not_lead_outside(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    with write_shard(tmp_path / "s.zip") as shard:
        shard.add_mask("link/a", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="leads outside of"):
        export_shards([tmp_path / "s.zip"], tmp_path / "out")
    assert files_below(tmp_path / "elsewhere") == []


def test_what_is_no_shard_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.zip: no such file"):
        export_shards([tmp_path / "nothing.zip"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def shard_of(path: Path, names, classes=("cat", "dog")) -> Path:
    with write_shard(path, list(classes)) as shard:
        for name in names:
            shard.add_mask(name, np.zeros((2, 2), np.uint8))
    return path


def test_two_shards_with_the_same_image_are_refused_before_anything_is_written(tmp_path):
    one = shard_of(tmp_path / "one.zip", ["a", "b"])
    two = shard_of(tmp_path / "two.zip", ["c", "b"])
    with pytest.raises(ValueError, match=r"one\.zip and .*two\.zip both hold 'b': one would"):
        export_shards([one, two], tmp_path / "out")
    with pytest.raises(ValueError, match=r"one\.zip and .*one\.zip both hold 'a'"):
        export_shards([one, one], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shards_of_one_run_lie_side_by_side(tmp_path):
    one, two = shard_of(tmp_path / "one.zip", ["a"]), shard_of(tmp_path / "two.zip", ["b"])
    assert export_shards([one, two], tmp_path / "out") == 2
    assert files_below(tmp_path / "out") == ["a.png", "b.png", "classes.csv"]


def test_shards_whose_labels_have_other_names_are_refused(tmp_path):
    one = shard_of(tmp_path / "one.zip", ["a"])
    two = shard_of(tmp_path / "two.zip", ["b"], ["dog", "cat"])
    with pytest.raises(ValueError, match="name their labels differently"):
        export_shards([one, two], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_cannot_be_written_is_named_and_the_others_are_there(tmp_path):
    out = tmp_path / "out"
    (out / "b.png").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"1 of 3 files failed: .*b\.png; results in"):
        export_shards([shard_of(tmp_path / "s.zip", ["a", "b", "c"])], out)
    assert files_below(out) == ["a.png", "c.png", "classes.csv"]
