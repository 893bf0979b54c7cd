"""What a plan foresees of manifests: another digest where, and only where, another manifest."""

import csv
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hfpl.plugins.formats.folder import FolderFormat, Settings

SHARDS = 3
CLASSES = ("cat", "dog", "cow")


def photograph(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def write_list(root: Path, tagged: dict[str, tuple[int, str]]) -> None:
    """Photographs, each with a seed of its pixels and its tags, and their list."""
    shutil.rmtree(root, ignore_errors=True)
    for name, (seed, _) in tagged.items():
        photograph(root / "images" / name, seed)
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("file", "tags"), *((name, tags) for name, (_, tags) in tagged.items())]
        )


def both(root: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """What is foreseen of each shard, and what the index writes."""
    values = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.3}
    pets = FolderFormat(Settings(**values))
    out = root.parent / "out"
    splits = ("train", "val")
    files = {split: [out / f"{split}-{k}.json" for k in range(SHARDS)] for split in splits}
    foreseen = pets.foreseen(SHARDS)
    pets.index("pets", root, files)
    written = {path.stem: path.read_bytes() for paths in files.values() for path in paths}
    assert foreseen is not None
    assert foreseen.keys() == written.keys()
    return dict(foreseen), written


def assert_alike(before: tuple[dict, dict], after: tuple[dict, dict]) -> None:
    foreseen, written = (
        {name for name in one if one[name] != other[name]}
        for one, other in zip(before, after, strict=True)
    )
    assert foreseen == written


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_another_digest_where_and_only_where_another_manifest(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("pets") / "photos"
    names = [f"p{k}.png" for k in range(14)]
    entry = st.tuples(st.integers(0, 3), st.sampled_from([*CLASSES, "cat;dog", ""]))
    first = {name: data.draw(entry) for name in names[:10]}
    first["p0.png"] = (0, "cat;dog;cow")
    write_list(root, first)
    before = both(root)
    kind = data.draw(st.sampled_from(["new", "away", "other tags", "other pixels", "order"]))
    second = dict(first)
    chosen = data.draw(st.sampled_from(names[1:10]))
    if kind == "new":
        second[data.draw(st.sampled_from(names[10:]))] = data.draw(entry)
    elif kind == "away":
        del second[chosen]
    elif kind == "other tags":
        second[chosen] = (first[chosen][0], data.draw(entry)[1])
    elif kind == "other pixels":
        second[chosen] = (first[chosen][0] + 10, first[chosen][1])
    else:
        second = dict(reversed(second.items()))
    write_list(root, second)
    after = both(root)
    assert_alike(before, after)
    if kind == "order":
        assert before == after


def test_a_folder_per_class_and_a_copy_that_adds_a_tag(tmp_path):
    root = tmp_path / "photos"
    for place in ("train/dog", "train/cat", "val/dog", "val/cat"):
        for name in "abcdef":
            photograph(
                root / place / f"{place[-3:]} {place[0]} {name}.png",
                zlib.crc32(f"{place} {name}".encode()),
            )
    before = both(root)
    shutil.copy(root / "val/dog/dog v a.png", root / "val/cat/copy.png")
    after = both(root)
    assert_alike(before, after)
    assert sum(before[0][name] != after[0][name] for name in before[0]) == 1


def test_photographs_that_lie_in_the_root_are_seen_to_change(tmp_path):
    root = tmp_path / "photos"
    rows = []
    for name in "abcdefgh":
        photograph(root / f"{name}.png", ord(name))
        rows.append({"file_name": f"{name}.png", "label": "dog"})
    lines = [f'{{"file_name": "{row["file_name"]}", "label": "dog"}}' for row in rows]
    (root / "metadata.jsonl").write_text("\n".join(lines))
    before = both(root)
    photograph(root / "c.png", 1000)
    after = both(root)
    assert_alike(before, after)
    assert before != after


@pytest.mark.parametrize("mistake", ["no folder", "no list"])
def test_nothing_is_foreseen_of_a_folder_with_a_mistake(tmp_path, mistake):
    root = tmp_path / "photos"
    if mistake == "no list":
        photograph(root / "stray.png", 0)
    values = {"format": "folder", "root": f"{root}", "max_side": 500, "val_share": 0.3}
    assert FolderFormat(Settings(**values)).foreseen(SHARDS) == {}


def test_a_zip_is_not_looked_into(tmp_path):
    (tmp_path / "photos.zip").write_bytes(b"")
    values = {
        "format": "folder",
        "root": f"{tmp_path / 'photos.zip'}",
        "max_side": 500,
        "val_share": 0.3,
    }
    assert FolderFormat(Settings(**values)).foreseen(SHARDS) is None
