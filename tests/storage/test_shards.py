"""Shards: what goes in comes out, equal results are equal bytes, broken files are named."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hfpl.storage.shards import Shard, Shards, write_shard

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))
SCORES = SIZES.flatmap(
    lambda shape: arrays.arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


def random_mask(seed: int, shape: tuple[int, int] = (9, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write_masks(path: Path, masks: dict[str, np.ndarray]) -> Path:
    with write_shard(path) as shard:
        for name, mask in masks.items():
            shard.add_mask(name, mask)
    return path


def write_scores(path: Path, name: str, classes: list[int], scores: np.ndarray) -> Path:
    with write_shard(path, counts_from=0) as shard:
        shard.add_scores(name, classes, scores)
    return path


@settings(deadline=None, max_examples=60)
@given(SCORES, st.randoms())
def test_scores_come_back_within_half_a_step(tmp_path_factory, scores, random):
    path = tmp_path_factory.getbasetemp() / "scores.zip"
    classes = random.sample(range(20), len(scores))
    write_scores(path, "a", classes, scores)
    found_classes, found = Shard(path).scores("a", scores.shape[1:], counts_from=0)
    assert found_classes == classes
    assert found.dtype == np.float32
    assert found.shape == scores.shape
    assert np.abs(found - scores).max() <= 0.5 / 200 + 1.1e-4
    first = path.read_bytes()
    write_scores(path, "a", classes, found)
    assert path.read_bytes() == first


def test_what_lies_outside_of_0_to_1_is_clipped(tmp_path):
    scores = np.array([[[-0.5, 0.0, 1.0, 1.7]]], np.float32)
    path = write_scores(tmp_path / "s.zip", "a", [3], scores)
    assert Shard(path).scores("a", (1, 4), counts_from=0)[1].tolist() == [
        [[0.0, 0.0, pytest.approx(1, abs=0.003), pytest.approx(1, abs=0.003)]]
    ]


def test_no_threshold_falls_between_a_score_and_what_is_read(tmp_path):
    """Thresholds at multiples of 0.005, half of which the evaluation uses."""
    rng = np.random.default_rng(0)
    thresholds = np.arange(200) / 200
    near = thresholds[:, None] + rng.uniform(-0.004, 0.004, (200, 50))
    near = near[np.abs(near - thresholds[:, None]) > 2e-4]
    scores = np.concatenate([near, thresholds]).clip(0, 1).astype(np.float32)[None, None]
    path = write_scores(tmp_path / "s.zip", "a", [0], scores)
    found = Shard(path).scores("a", scores.shape[1:], counts_from=0)[1]
    for threshold in thresholds:
        # A score that is the threshold itself lies not above it, but for its own rounding.
        above = scores > threshold + 1e-6
        assert np.array_equal(found > threshold, above), threshold


def test_an_untagged_image_has_no_scores(tmp_path):
    path = write_scores(tmp_path / "s.zip", "a", [], np.zeros((0, 5, 6), np.float32))
    classes, scores = Shard(path).scores("a", (5, 6), counts_from=0)
    assert classes == []
    assert scores.shape == (0, 5, 6)
    assert scores.dtype == np.float32
    assert Shard(path).ids == ["a"]


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(0, 1000))
def test_label_maps_come_back(tmp_path_factory, shape, seed):
    mask = random_mask(seed, shape[1:])
    path = write_masks(tmp_path_factory.getbasetemp() / "m.zip", {"a": mask, "b": mask[:, ::-1]})
    found = Shard(path).mask("a")
    assert found.dtype == np.uint8
    assert np.array_equal(found, mask)
    assert np.array_equal(Shard(path).mask("b"), mask[:, ::-1])


@pytest.mark.parametrize("name", ["two words", "Straßenbähn 7", "日本", "a.b", "x'y\"z", "index"])
def test_any_name_of_an_image_will_do(tmp_path, name):
    path = tmp_path / "shard.zip"
    with write_shard(path) as shard:
        shard.add_mask(name, random_mask(1))
        shard.add_mask(f"{name} 2", random_mask(2))
    shard = Shard(path)
    assert shard.ids == [name, f"{name} 2"]
    assert np.array_equal(shard.mask(name), random_mask(1))
    write_scores(path, name, [4], np.full((1, 2, 3), 0.2, np.float32))
    assert Shard(path).scores(name, (2, 3), counts_from=0)[0] == [4]


def test_equal_results_give_equal_bytes_whenever_and_wherever(tmp_path):
    masks = {f"i{n}": random_mask(n) for n in range(5)}
    first = write_masks(tmp_path / "one.zip", masks).read_bytes()
    assert write_masks(tmp_path / "else" / "two.zip", masks).read_bytes() == first
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None
    assert write_masks(tmp_path / "three.zip", masks | {"i4": random_mask(9)}).read_bytes() != first


def test_members_come_in_the_order_they_were_written(tmp_path):
    names = ["z", "a", "m"]
    path = write_masks(tmp_path / "s.zip", {name: random_mask(1) for name in names})
    assert Shard(path).ids == names
    assert Shard(path).member_names() == names


def test_an_image_added_twice_is_an_error_and_leaves_nothing(tmp_path):
    def twice():
        with write_shard(tmp_path / "s.zip") as shard:
            shard.add_mask("a", random_mask(1))
            shard.add_mask("a", random_mask(2))

    with pytest.raises(ValueError, match="a: added twice"):
        twice()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_old_shard(tmp_path):
    path = write_masks(tmp_path / "s.zip", {"old": random_mask(1)})

    def fail():
        with write_shard(path) as shard:
            shard.add_mask("new", random_mask(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert Shard(path).ids == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["s.zip"]


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a: 2 classes for 1 score maps"):
        write_scores(tmp_path / "s.zip", "a", [1, 2], np.zeros((1, 2, 2), np.float32))
    with pytest.raises(ValueError, match="a label map is uint8"):
        write_masks(tmp_path / "s.zip", {"a": np.zeros((2, 2), np.int64)})


def test_an_unknown_image_is_named_with_the_file(tmp_path):
    shard = Shard(write_masks(tmp_path / "s.zip", {"a": random_mask(1)}))
    for read in (shard.mask, lambda name: shard.scores(name, (9, 7), counts_from=0)):
        with pytest.raises(ValueError, match=r"s\.zip: no result for image 'b'"):
            read("b")


def test_scores_of_another_size_than_the_image_are_named(tmp_path):
    scores = np.zeros((2, 4, 6), np.float32)
    shard = Shard(write_scores(tmp_path / "s.zip", "a", [0, 1], scores))
    for size in ((6, 4), (4, 7), (8, 6)):
        with pytest.raises(ValueError, match=r"s\.zip: 'a' is .*\(4, 6\).* its image"):
            shard.scores("a", size, counts_from=0)


def test_several_shards_are_read_as_one(tmp_path):
    paths = [
        write_masks(tmp_path / "0.zip", {"a": random_mask(0), "b": random_mask(1)}),
        write_scores(tmp_path / "1.zip", "c", [2], np.full((1, 3, 3), 0.6, np.float32)),
    ]
    shards = Shards(paths)
    assert [name in shards for name in "abcd"] == [True, True, True, False]
    assert np.array_equal(shards.mask("b"), random_mask(1))
    assert shards.scores("c", (3, 3), counts_from=0)[0] == [2]
    with pytest.raises(ValueError, match="no shard holds a result for image 'd'"):
        shards.mask("d")
    assert "a" not in Shards([])


@pytest.mark.parametrize("keep", [0, 1, 30, 100, -1, -30])
def test_a_truncated_shard_is_named(tmp_path, keep):
    path = write_masks(tmp_path / "s.zip", {"a": random_mask(1), "b": random_mask(2)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"s\.zip: not a shard: "):
        Shard(path)


@pytest.mark.parametrize("index", [None, b"", b"[]", b"\xff\xfe{"])
def test_a_zip_that_is_no_shard_is_named(tmp_path, index):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"")
        if index is not None:
            archive.writestr("index.json", index)
    with pytest.raises(ValueError, match=r"other\.zip: not a shard: "):
        Shard(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.zip: no such file"):
        Shard(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text(json.dumps({"counts_from": 0, "images": {"a": []}}))
    with pytest.raises(ValueError, match=r"text\.zip: not a shard: "):
        Shard(tmp_path / "text.zip")
