"""YAML as the parameters are written in: numbers are numbers, mistakes name their line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.params.load import ParamsError, read_yaml


@pytest.fixture
def read(tmp_path: Path):
    def of(content: str | bytes) -> dict:
        path = tmp_path / "p.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_yaml(path)

    return of


def complaint(read, content: str | bytes) -> str:
    with pytest.raises(ParamsError) as caught:
        read(content)
    assert "\n" not in str(caught.value)
    assert "p.yaml: " in str(caught.value)
    return str(caught.value).partition("p.yaml: ")[2]


def test_numbers_and_words_of_yaml_1_2(read):
    text = "a: 1e-4\nb: 1E+3\nc: off\nd: .5\ne: -3\nf: null\ng: true\nh: '3'\ni: 5e-04\n"
    found = read(text)
    expected = {"a": 1e-4, "b": 1000.0, "c": "off", "d": 0.5, "e": -3}
    assert found == {**expected, "f": None, "g": True, "h": "3", "i": 5e-4}
    assert {name: type(found[name]) for name in "abcde"} == {
        "a": float, "b": float, "c": str, "d": float, "e": int,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4),
        ("x: 1\na: {b: 1, b: 2}\n", 2),
    ],
)
def test_a_key_twice_is_an_error_at_its_line(read, content, line):
    text = complaint(read, content)
    assert "duplicate key" in text
    assert f"line {line}" in text


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("a:\n\tb: 1\n", "line 2"),
        ("a: [1, 2\n", "expected ',' or ']'"),
        ("a: 1\n  b: 2\n", "line 2"),
        ("a: !!python/object:os.system {}\n", "tags"),
        ("a: 1\n---\nb: 1\n", "document"),
        ("\x00", "character"),
        ("a: *nothing\n", "names for parts"),
        ("a: 1\nb: 2020-13-45", "line 2: '2020-13-45' cannot be a value: month must be in 1..12"),
        (f"a: 1\nb: {'9' * 5000}", "line 2: '99999999999999999999' cannot be a value: Exceeds"),
        ("5: 2", "the key 5 is no text: put it in quotes"),
        ("a: [{~: 1}]", "the key None is no text"),
        ("? [a, b]\n: 2", "the key ('a', 'b') is no text"),
    ],
)
def test_broken_yaml_is_explained(read, content, word):
    text = complaint(read, content)
    assert text.startswith("not valid YAML: ")
    assert word in text


@pytest.mark.parametrize(
    ("content", "found"), [("", "NoneType"), ("# a\n", "NoneType"), ("- 1\n", "list"), ("3", "int")]
)
def test_something_else_than_sections_is_named(read, content, found):
    assert complaint(read, content) == f"expected sections with keys, found {found}"


def test_a_file_that_cannot_be_read_is_named(read, tmp_path):
    assert complaint(read, b"a: \xff\xfe").startswith("cannot be read: ")
    with pytest.raises(ParamsError, match=r"cannot be read: .*directory"):
        read_yaml(tmp_path)
    with pytest.raises(ParamsError, match=r"nowhere.yaml: no such file; write one with 'hfpl "):
        read_yaml(tmp_path / "nowhere.yaml")


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet=st.sampled_from("ab: -[]{}\n\t'\"#&*!|>%@1.\\e?,"), max_size=30))
def test_any_text_is_a_mapping_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        found, error = read_yaml(path), ""
    except ParamsError as caught:
        found, error = {}, str(caught)
    assert isinstance(found, dict)
    assert "\n" not in error
    assert not error or error.startswith(f"{path}: ")
