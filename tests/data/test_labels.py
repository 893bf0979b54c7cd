"""The list of tags, as scripts, people and spreadsheets write it."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.plugins.formats.folder.labels import LabelRow, read_labels

ROWS = [("a.jpg", ("cat",)), ("b c.png", ("traffic light", "dog")), ("ü.jpg", ())]


def rows_of(text: str | bytes) -> list[tuple[str, tuple[str, ...]]]:
    rows, _ = read_labels(text if isinstance(text, bytes) else text.encode())
    return [(row.file, row.tags) for row in rows]


def complaint(text: str | bytes) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the callers look at the message
        read_labels(text if isinstance(text, bytes) else text.encode())
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert str(caught.value).startswith("labels.csv: ")
    return str(caught.value).removeprefix("labels.csv: ")


VARIANTS = {
    "plain": 'file,tags\na.jpg,cat\nb c.png,"traffic light, dog"\nü.jpg,\n',
    "semicolons in a field": "file,tags\na.jpg,cat\nb c.png,traffic light;dog\nü.jpg,\n",
    "bars": "file,tags\na.jpg,cat\nb c.png,traffic light | dog\nü.jpg,\n",
    "further fields": "file,tags\na.jpg,cat\nb c.png,traffic light,dog\nü.jpg\n",
    "spreadsheet": 'file;tags\na.jpg;cat\n"b c.png";"traffic light;dog"\nü.jpg;\n',
    "spreadsheet, several cells": "file;tags;\na.jpg;cat;\nb c.png;traffic light;dog\nü.jpg;;\n",
    "with its delimiter": "sep=;\nfile;tags\na.jpg;cat\nb c.png;traffic light,dog\nü.jpg;\n",
    "tabs": "file\ttags\na.jpg\tcat\nb c.png\ttraffic light, dog\nü.jpg\t\n",
    "other names": 'Image , LABELS\na.jpg,cat\nb c.png," traffic  light ,dog, "\nü.jpg, \n',
    "other order": 'tags,filename\ncat,a.jpg\n"traffic light,dog",b c.png\n,ü.jpg\n',
    "with the folder": "file,tags\nimages/a.jpg,cat\n./images/b c.png,traffic light,dog\nü.jpg,\n",
    "no end of line": 'file,tags\na.jpg,cat\n\n , \nb c.png,"traffic light,dog,dog"\nü.jpg,',
    "another column": 'id,file,tags\n1,a.jpg,cat\n2,b c.png,"traffic light,dog"\n3,ü.jpg,\n',
}


@pytest.mark.parametrize("text", VARIANTS.values(), ids=list(VARIANTS))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_people_write_is_understood(text, end, encoding):
    assert rows_of(text.replace("\n", end).encode(encoding)) == ROWS


def test_what_is_not_taken_as_it_stands_is_noted():
    assert read_labels(b"file,tags\na.jpg,cat\n")[1] == []
    _, notes = read_labels("file,tags,who\nü.jpg,cat,me\n".encode("cp1252"))
    assert notes == [
        "labels.csv is not UTF-8 and was read as Windows-1252",
        "column 'who' of labels.csv is not used",
    ]


def test_splits_are_read_in_any_words():
    text = "file,split,tags\na,train,x\nb,Val,x\nc,validation,x\nd,TRAINING,\ne,,x\n"
    rows, notes = read_labels(text.encode())
    assert [row.split for row in rows] == ["train", "val", "val", "train", None]
    assert rows[1] == LabelRow(3, "b", ("x",), "val")
    assert notes == []
    assert complaint("file,tags,split\na,x,test\n") == (
        "line 2: split 'test': expected 'train' or 'val'"
    )


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\\x85\u2028\u2029"),
    min_size=1,
).filter(lambda s: s.strip() == s and s not in (".", ".."))
NO_CLASSES = {"background", "bg", "void", "ignore", "ignored", "unlabeled", "unlabelled",
              "nan", "none", "null", "na", "nil"}  # fmt: skip
TAGS = st.text(st.characters(categories=("L", "N", "M", "So")), min_size=1).filter(
    lambda s: s.casefold() not in NO_CLASSES
)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.lists(TAGS)), min_size=1), st.sampled_from(",;\t"))
def test_what_a_csv_writer_writes_is_read_back(table, delimiter):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(["file", "tags"])
    writer.writerows((name, "|".join(tags)) for name, tags in table)
    expected = [
        (name, tuple(dict.fromkeys(unicodedata.normalize("NFC", tag) for tag in tags)))
        for name, tags in table
    ]
    assert rows_of(buffer.getvalue()) == expected


def test_characters_that_are_not_seen_make_no_other_tag():
    text = "file,tags\na,dog\nb,\u200bdog\ufeff\nc,d\u00adog\nd,\u200b\n"
    assert rows_of(text) == [("a", ("dog",)), ("b", ("dog",)), ("c", ("dog",)), ("d", ())]


def test_commas_of_other_keyboards_divide_tags():
    text = "file,tags\na,犬，猫\nb,犬；猫\nc,犬、猫\nd,犬｜猫\n"
    assert {tags for _, tags in rows_of(text)} == {("犬", "猫")}


def test_a_line_break_at_the_end_of_a_cell_is_none_within_a_tag():
    assert rows_of('file,tags\na,"cat, dog\n"\n') == [("a", ("cat", "dog"))]


def outcome(content: bytes) -> tuple[list[LabelRow], str]:
    """The rows, or the message."""
    try:
        return read_labels(content)[0], ""
    except ValueError as error:
        return [], str(error)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(), st.text().map(lambda s: f"file,tags\n{s}".encode())))
def test_anything_gives_rows_or_one_line(content):
    rows, message = outcome(content)
    assert bool(rows) != bool(message)
    assert message.startswith("labels.csv: ") or not message
    assert "\n" not in message
    for row in rows:
        assert not {"/", "\\"} & set(row.file)
        assert row.file not in ("", ".", "..")
        assert all(tag == " ".join(tag.split()) != "" for tag in row.tags)


@pytest.mark.parametrize(
    "name",
    ["../a.jpg", "..", ".", "/etc/passwd", "images/../../a.jpg", "C:\\a.jpg", "images\\a.jpg",
     "below/a.jpg", "a\x00.jpg", "a\x1b[31m.jpg"],
)  # fmt: skip
def test_a_path_in_place_of_a_name_is_refused(name):
    text = complaint(f'file,tags\na.jpg,cat\n"{name}",cat\n')
    assert text.startswith("line 3: '")
    assert text.endswith("': expected the name of a file directly in images/, no path")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the names of the columns, 'file,tags' or 'file,tags,split', "),
        ("a.jpg,cat\n", "line 1: expected the names of the columns, "),
        ("file\na.jpg\n", "line 1: expected the names of the columns, "),
        ("PK\x03\x04\x00\x01", "line 1: expected the names of the columns, "),
        ("file,tags\n", "no row below the header"),
        ("file,name,tags\na,b,c\n", "line 1: 'file' and 'name' are both names of the column"),
        ("file,tags\n,cat\n", "line 2: no file name"),
        ("file,tags\na,cat\x07\n", "line 2: tag 'cat\\x07' holds a control character"),
        ("file,tags\na,Background\n", "line 2: tag 'Background' is no class: background is part "),
        ("file,tags\na,_background_\n", "line 2: tag '_background_' is no class"),
        ("file,tags\na,cat\nb,__ignore__\n", "line 3: tag '__ignore__' is no class"),
        ("file,tags\na,\"['dog', 'cat']\"\n", "line 2: tag \"['dog'\" looks like a part of a list"),
        ("file,tags\na,cat\nb,[]\n", "line 3: tag '[]' looks like a part of a list"),
        ("file,tags\na,{dog}\n", "line 2: tag '{dog}' looks like a part of a list"),
        ("file,tags\na,'dog'\n", "line 2: tag \"'dog'\" looks like a part of a list"),
        ("file,tags\na,nan\n", "line 2: tag 'nan' stands for nothing; leave it out; the field "),
        ("file,tags\na,None\n", "line 2: tag 'None' stands for nothing"),
        ("file,tags\na,-\n", "line 2: tag '-' stands for nothing"),
        ('file,tags\na,"cat\ndog"\n', "line 3: tag 'cat\\ndog' holds a line break; write several "),
        ("file,tags,split\na,cat,dog,train\n", "line 2: 4 fields where the header has 3; "),
        ('file,tags\na,"cat\nb,dog\n', "line 3: unexpected end of data; "),
        ('file,tags\n"a" b.jpg,dog\n', "line 2: ',' expected after '\"'; "),
        (b"file,tags\n\x81.jpg,dog\n", "neither UTF-8 nor Windows-1252; save it as UTF-8"),
        (f"file,tags\na,{'x' * 200_000}\n", "line 2: field larger than field limit"),
    ],
)
def test_a_mistake_is_named_by_its_line(text, message):
    assert complaint(text).startswith(message)
