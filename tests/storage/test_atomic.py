"""Files are written whole or not at all, and links are replaced, never written through."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.storage.atomic import read_json, replacing, write_json, write_text


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_new_content_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # a rename stays on one file system
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["result.txt"]


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b ö" / "c.txt", "x\ny – ü\n")
    assert (tmp_path / "a" / "b ö" / "c.txt").read_bytes() == "x\ny – ü\n".encode()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        fail()
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["result.txt"]


def test_a_failure_before_anything_was_written_makes_no_file(tmp_path):
    def fail():
        with replacing(tmp_path / "new.txt"):
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert names_in(tmp_path) == []


def test_a_folder_in_the_way_is_an_error_and_stays(tmp_path):
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "inside").write_text("kept")
    with pytest.raises(OSError, match="result"):
        write_text(tmp_path / "result", "x")
    assert names_in(tmp_path) == ["result"]
    assert (tmp_path / "result" / "inside").read_text() == "kept"


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_what_a_link_leads_to_is_not_written(tmp_path, link):
    cached = tmp_path / "cache" / "object"
    cached.parent.mkdir()
    cached.write_text("cached")
    cached.chmod(0o444)
    path = tmp_path / "result.txt"
    link(cached, path)
    write_text(path, "new")
    assert cached.read_text() == "cached"
    assert path.read_text() == "new"
    assert not path.is_symlink()


def test_the_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "written", "x")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_writers_of_the_same_file_do_not_mix(tmp_path):
    path = tmp_path / "result.txt"
    texts = [str(n) * 100_000 for n in range(4)]

    def write(text: str) -> None:
        for _ in range(10):
            write_text(path, text)

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))
    assert path.read_text() in texts
    assert names_in(tmp_path) == ["result.txt"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_json_comes_back(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    write_json(path, content)
    assert read_json(path) == content


def test_equal_json_gives_equal_bytes(tmp_path):
    write_json(tmp_path / "a", {"b": [1, {"y": 2.5, "x": None}], "a": "Fußgänger"})
    write_json(tmp_path / "b", {"a": "Fußgänger", "b": [1, {"x": None, "y": 2.5}]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "Fußgänger".encode() in (tmp_path / "a").read_bytes()
    assert (tmp_path / "a").read_bytes().endswith(b"}\n")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": {1, 2}})
    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert names_in(tmp_path) == ["a.json"]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"no json"])
def test_a_file_that_is_no_json_is_named(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.json: not valid JSON: "):
        read_json(path)


def test_a_missing_json_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.json: no such file"):
        read_json(tmp_path / "nothing.json")
