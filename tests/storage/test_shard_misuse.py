"""Shards that were damaged, mistaken for another kind, or are read by several processes."""

import json
import multiprocessing
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hfpl.storage.shards import Shard, Shards, write_shard


def masks_of(count: int, side: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"i{n}": rng.integers(0, 20, (side, side)).astype(np.uint8) for n in range(count)}


@pytest.fixture
def label_maps(tmp_path: Path) -> Path:
    with write_shard(tmp_path / "masks.zip") as shard:
        for name, mask in masks_of(3).items():
            shard.add_mask(name, mask)
    return tmp_path / "masks.zip"


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    with write_shard(tmp_path / "scores.zip", counts_from=1) as shard:
        shard.add_scores("tagged", [0], np.full((1, 4, 5), 0.01, np.float32))
        shard.add_scores("untagged", [], np.zeros((0, 4, 5), np.float32))
    return tmp_path / "scores.zip"


def test_label_maps_are_not_taken_for_an_image_without_scores(label_maps):
    # An empty answer would be scored as background, and nobody would notice.
    with pytest.raises(ValueError, match=r"masks\.zip: .*i0"):
        Shard(label_maps).scores("i0", (60, 60), counts_from=1)


@pytest.mark.parametrize("name", ["tagged", "untagged"])
def test_scores_are_not_taken_for_label_maps(scores, name):
    with pytest.raises(ValueError, match=rf"scores\.zip: .*{name}"):
        Shard(scores).mask(name)


def test_damaged_members_are_named(label_maps):
    content = bytearray(label_maps.read_bytes())
    with zipfile.ZipFile(label_maps) as archive:
        start = archive.getinfo("i1.png").header_offset
    content[start + 200] ^= 0xFF
    label_maps.write_bytes(content)
    shard = Shard(label_maps)
    assert np.array_equal(shard.mask("i0"), masks_of(3)["i0"])
    with pytest.raises(ValueError, match=r"masks\.zip: .*i1"):
        shard.mask("i1")
    with pytest.raises(ValueError, match=r"masks\.zip: .*i1"):
        shard.member("i1")


def tampered(source: Path, target: Path, members: dict[str, bytes | None]) -> Path:
    """A copy of a shard with other contents of some members, or without them."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = members.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


@pytest.mark.parametrize("content", [b"no png", b"", None])
def test_members_that_are_no_images_are_named(tmp_path, label_maps, scores, content):
    path = tampered(label_maps, tmp_path / "odd.zip", {"i1.png": content})
    with pytest.raises(ValueError, match=r"odd\.zip: .*i1"):
        Shard(path).mask("i1")
    path = tampered(scores, tmp_path / "strange.zip", {"tagged.png": content})
    with pytest.raises(ValueError, match=r"strange\.zip: .*tagged"):
        Shard(path).scores("tagged", (4, 5), counts_from=1)


def test_fewer_maps_than_classes_are_named(tmp_path, scores):
    with write_shard(tmp_path / "three.zip", counts_from=1) as shard:
        shard.add_scores("tagged", [0, 1, 2], np.zeros((3, 4, 5), np.float32))
    with zipfile.ZipFile(scores) as archive:
        one = archive.read("tagged.png")
    path = tampered(tmp_path / "three.zip", tmp_path / "odd.zip", {"tagged.png": one})
    with pytest.raises(ValueError, match=r"odd\.zip: .*tagged"):
        Shard(path).scores("tagged", (4, 5), counts_from=1)


def _read_at_random(shards: Shards, expected: dict[str, np.ndarray], seed: int, answers) -> None:
    chosen = random.Random(seed)
    wrong = 0
    for name in chosen.choices(list(expected), k=600):
        try:
            wrong += not np.array_equal(shards.mask(name), expected[name])
        except Exception:  # whatever a mixed-up read raises
            wrong += 1
    answers.put(wrong)


def test_loader_processes_can_share_what_was_opened_before_they_began(tmp_path):
    # Forked processes share the position in an open file: what one seeks, the other reads.
    expected = masks_of(40, side=100)
    with write_shard(tmp_path / "s.zip") as shard:
        for name, mask in expected.items():
            shard.add_mask(name, mask)
    shards = Shards([tmp_path / "s.zip"])
    assert np.array_equal(shards.mask("i0"), expected["i0"])
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    workers = [
        context.Process(target=_read_at_random, args=(shards, expected, seed, answers))
        for seed in range(3)
    ]
    for worker in workers:
        worker.start()
    wrong = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert wrong == [0, 0, 0]


@pytest.mark.parametrize(
    ("written", "read", "message"),
    [
        (
            0,
            1,
            "holds CAMs, whose classes count from 0; needed are scores of labels, whose classes",
        ),
        (
            1,
            0,
            "holds scores of labels, whose classes count from 1; needed are CAMs, whose classes",
        ),
    ],
)
@pytest.mark.parametrize("name", ["tagged", "untagged"])
def test_scores_that_count_their_classes_otherwise_are_not_read(
    tmp_path, written, read, message, name
):
    path = tmp_path / "s.zip"
    with write_shard(path, counts_from=written) as shard:
        shard.add_scores("tagged", [2], np.full((1, 4, 5), 0.5, np.float32))
        shard.add_scores("untagged", [], np.zeros((0, 4, 5), np.float32))
    for reader in (Shard(path), Shards([path])):
        with pytest.raises(ValueError, match=rf"s\.zip: {message} count from {read}$"):
            reader.scores(name, (4, 5), counts_from=read)
    assert Shard(path).scores("tagged", (4, 5), counts_from=written)[0] == [2]


def test_a_shard_holds_scores_or_label_maps(tmp_path):
    with (
        pytest.raises(ValueError, match="a: scores in a shard of label maps"),
        write_shard(tmp_path / "s.zip") as shard,
    ):
        shard.add_scores("a", [0], np.zeros((1, 2, 2), np.float32))
    with (
        pytest.raises(ValueError, match="a: a label map in a shard of scores"),
        write_shard(tmp_path / "s.zip", counts_from=0) as shard,
    ):
        shard.add_mask("a", np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("index", ["{}", '{"a": null}', '{"a": [0, 2], "images": []}'])
def test_a_shard_of_an_earlier_version_is_to_be_made_again(tmp_path, index):
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr("index.json", index)
    with pytest.raises(
        ValueError, match=r"old\.zip: written by an earlier version.*make it again$"
    ):
        Shard(tmp_path / "old.zip")


@pytest.mark.parametrize("counts_from", [0, 1, None])
def test_the_index_says_how_classes_count(tmp_path, counts_from):
    with write_shard(tmp_path / "s.zip", counts_from=counts_from) as shard:
        if counts_from is None:
            shard.add_mask("a", np.zeros((2, 2), np.uint8))
        else:
            shard.add_scores("a", [3], np.zeros((1, 2, 2), np.float32))
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        index = json.loads(archive.read("index.json"))
    images = {"a": None if counts_from is None else [3]}
    assert index == {"counts_from": counts_from, "images": images}
    assert Shard(tmp_path / "s.zip").counts_from == counts_from


@pytest.mark.parametrize(
    "index",
    [
        "[]",
        '{"a": 1}',
        '{"a": "bc"}',
        "{",
        '{"a": {"b": 1}}',
        '{"counts_from": 2, "images": {}}',
        '{"counts_from": [], "images": {}}',
        '{"images": {}}',
        '{"counts_from": null, "images": {"a": [1]}}',
        '{"counts_from": 0, "images": {"a": null}}',
        '{"counts_from": 0, "images": {"a": ["1"]}}',
        '{"counts_from": 0, "images": {"a": [-1]}}',
        '{"counts_from": 0, "images": {"a": [1.5]}}',
        '{"counts_from": true, "images": {"a": []}}',
        "[" * 100_000,
    ],
)
def test_a_broken_list_of_images_is_an_error(tmp_path, index):
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as archive:
        archive.writestr("index.json", index)
    with pytest.raises(ValueError, match=r"broken\.zip: not a shard"):
        Shard(tmp_path / "broken.zip")


def test_a_member_that_unpacks_to_more_than_the_file_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.json", b" " * 2**24)
    with pytest.raises(ValueError, match=r"bomb\.zip: not a shard: 16777216 bytes, more than"):
        Shard(path)
    with write_shard(path) as shard:
        shard.add_mask("a", np.zeros((4, 4), np.uint8))
    with zipfile.ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if name == "index.json" else content + bytes(2**24))
    with pytest.raises(ValueError, match="'a' cannot be read: .* more than"):
        Shard(path).mask("a")


@pytest.mark.parametrize("field", ["method", "encrypted", "deflate"])
def test_what_python_cannot_unpack_is_one_line(tmp_path, field):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.json", b'{"counts_from": 0, "images": {}}')
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    if field == "method":
        content[central + 10 : central + 12] = content[8:10] = (99).to_bytes(2, "little")
    elif field == "encrypted":
        content[central + 8] |= 1
        content[6] |= 1
    else:
        content[40:60] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.zip: not a shard: "):
        Shard(path)
