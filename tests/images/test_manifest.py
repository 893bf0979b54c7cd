"""Manifests: shards by a stable hash, files that say what they are not."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.storage.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    read_manifests,
    read_masks,
    shard_of,
    write_manifest,
    write_masks,
)


def record(name: str, tags: tuple[int, ...] = (0, 2)) -> ImageRecord:
    return ImageRecord(name, f"JPEGImages/{name}.jpg", 30, 40, tags, "ab" * 32)


def manifest(*names: str, split: str = "train", dataset: str = "shapes") -> Manifest:
    return Manifest(dataset, split, ("cat", "dog", "Kuh"), tuple(map(record, names)))


def test_the_shard_of_a_name_never_changes():
    # Fixed for good: other numbers would send every image of every user to another shard.
    expected = {"2007_000032": 2, "train_000000": 2, "000000000009": 15, "Straße 1": 1}
    assert {name: shard_of(name, 16) for name in expected} == expected


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(1, 1000))
def test_a_shard_lies_in_range(name, shards):
    assert 0 <= shard_of(name, shards) < shards
    assert shard_of(name, 1) == 0


def test_images_spread_evenly():
    counts = Counter(shard_of(f"2008_{n:06d}", 8) for n in range(8000))
    assert sorted(counts) == list(range(8))
    assert 900 < min(counts.values()) <= max(counts.values()) < 1100


def test_a_manifest_comes_back(tmp_path):
    written = manifest("a", "b ü")
    write_manifest(tmp_path / "m.json", written)
    assert read_manifests([tmp_path / "m.json"]) == written


def test_an_image_without_tags_comes_back(tmp_path):
    written = Manifest("d", "val", ("cat",), (record("a", ()),))
    write_manifest(tmp_path / "m.json", written)
    assert read_manifests([tmp_path / "m.json"]).images[0].tags == ()


def test_manifests_of_a_split_are_joined_by_name_in_any_order(tmp_path):
    paths = [tmp_path / "0.json", tmp_path / "1.json", tmp_path / "2.json"]
    for path, names in zip(paths, (["c", "a"], [], ["b"]), strict=True):
        write_manifest(path, manifest(*names))
    forward, backward = read_manifests(paths), read_manifests(reversed(paths))
    assert [image.id for image in forward.images] == ["a", "b", "c"]
    assert forward == backward


@pytest.mark.parametrize("other", [manifest("b", split="val"), manifest("b", dataset="voc")])
def test_manifests_of_different_kinds_are_not_joined(tmp_path, other):
    write_manifest(tmp_path / "0.json", manifest("a"))
    write_manifest(tmp_path / "1.json", other)
    with pytest.raises(ValueError, match="different data sets, splits or classes"):
        read_manifests([tmp_path / "0.json", tmp_path / "1.json"])


def test_no_manifest_is_an_error():
    with pytest.raises(ValueError, match="no manifest"):
        read_manifests([])


def tampered(path: Path, change) -> Path:
    write_manifest(path, manifest("a"))
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda c: [],
        lambda c: 3,
        lambda c: {"masks": []},
        lambda c: {**c, "images": 3},
        lambda c: {**c, "images": ["a"]},
        lambda c: {**c, "images": [{**c["images"][0], "more": 1}]},
        lambda c: {**c, "images": [{k: v for k, v in c["images"][0].items() if k != "tags"}]},
        lambda c: {k: v for k, v in c.items() if k != "classes"},
        lambda c: {**c, "images": [{**c["images"][0], "height": "8"}]},
        lambda c: {**c, "images": [{**c["images"][0], "width": 10**12}]},
        lambda c: {**c, "images": [{**c["images"][0], "tags": [-1]}]},
        lambda c: {**c, "images": [{**c["images"][0], "sha256": "x"}]},
        lambda c: {**c, "images": [{**c["images"][0], "file": "../../etc/passwd"}]},
        lambda c: {**c, "images": [{**c["images"][0], "file": "/etc/passwd"}]},
        lambda c: {**c, "classes": [["cat"]]},
    ],
)
def test_a_file_that_is_no_manifest_is_named(tmp_path, change):
    path = tampered(tmp_path / "odd.json", change)
    with pytest.raises(ValueError, match=r"odd\.json: not a manifest: "):
        read_manifests([path])


def test_masks_come_back_by_name(tmp_path):
    masks = [MaskRecord(name, f"SegmentationClass/{name}.png", "cd" * 32) for name in ("b", "a ß")]
    write_masks(tmp_path / "0.json", masks[:1])
    write_masks(tmp_path / "1.json", masks[1:])
    assert read_masks([tmp_path / "0.json", tmp_path / "1.json"]) == {m.id: m for m in masks}
    write_masks(tmp_path / "2.json", [])
    assert read_masks([tmp_path / "2.json"]) == {}


@pytest.mark.parametrize("content", [[], 3, {}, {"masks": 3}, {"masks": ["a"]}, {"masks": [{}]}])
def test_a_file_that_is_no_list_of_masks_is_named(tmp_path, content):
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"odd\.json: not a list of masks: "):
        read_masks([tmp_path / "odd.json"])


def test_a_file_that_is_not_there_is_named(tmp_path):
    for read in (read_manifests, read_masks):
        with pytest.raises(ValueError, match=r"nothing\.json: no such file"):
            read([tmp_path / "nothing.json"])
