"""Lists of tags as tables: people write them by hand, with scripts and with spreadsheets."""

import ast
import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hfpl.plugins.formats.class_names import clean, has_control, problem_of, shown
from hfpl.plugins.formats.folder.listing import SPLIT_WORDS

LABEL_FILE = "labels.csv"

_COLUMNS = {
    "file": ("file", "filename", "file name", "file_name", "image", "name"),
    "tags": ("tags", "tag", "labels", "label", "classes", "class"),
    "split": ("split", "set", "subset"),
}
"""What each column may be called, in any case."""
_BETWEEN_TAGS = re.compile("[,;|，；｜、]")
"""Those of East Asian keyboards too."""


class LabelRow(NamedTuple):
    """A row: the image's file name, its tags (maybe none), its split (None where it has none)."""

    line: int
    file: str
    tags: tuple[str, ...]
    split: str | None


def read_labels(
    content: bytes, name: str = LABEL_FILE, paths: bool = False
) -> tuple[list[LabelRow], list[str]]:
    """Read a list of tags.

    The first row names the columns: ``file``, ``tags`` and, where it is there, ``split``. Columns
    are divided by comma, semicolon or tab, tags within a field by comma, semicolon or ``|``. Tags
    may hold spaces. Where ``tags`` is the last column, further fields of a row are tags too.

    Args:
        content: UTF-8, with or without byte-order mark, UTF-16 with one, or Windows-1252.
        name: of the file, for messages.
        paths: whether files may lie in folders, and tags be written as a list: ``["a", "b"]``.

    Returns:
        The rows in their order, and notes about what was not taken as it stands.

    Raises:
        ValueError: the file is no such list; the message names the line.
    """
    try:
        text, notes = _decode(content, name)
        text = re.sub(r"\Asep=.[\r\n]+", "", text)  # by which spreadsheets name the delimiter
        delimiter, header = _find_header(text)
        columns = _columns(header)
        for cell in (cell for k, cell in enumerate(header) if cell and k not in columns.values()):
            notes.append(f"column {shown(cell)} of {name} is not used")
        lines = _lines(text, delimiter)
        next(lines)
        rows = [_row(line, cells, columns, len(header), paths) for line, cells in lines]
        if not rows:
            raise ValueError("no row below the header")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return rows, notes


def _decode(content: bytes, name: str) -> tuple[str, list[str]]:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        raise ValueError("neither UTF-8 nor Windows-1252; save it as UTF-8") from None
    return text, [f"{name} is not UTF-8 and was read as Windows-1252"]


def _find_header(text: str) -> tuple[str, list[str]]:
    """The delimiter under which the first row names a file's column and a tags' column."""
    for delimiter in ",;\t":
        try:
            _, cells = next(_lines(text, delimiter))
        except (ValueError, StopIteration):
            continue
        while cells and not cells[-1].strip():
            cells.pop()
        if {"file", "tags"} <= _columns(cells).keys():
            return delimiter, cells
    first = next(iter(text.splitlines()), "").strip()
    raise ValueError(
        f"line 1: expected the names of the columns, 'file,tags' or "
        f"'file,tags,split', found {shown(first)}"
    )


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Column → its place."""
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        for column, names in _COLUMNS.items():
            if cell.strip().casefold() in names:
                if column in found:
                    raise ValueError(
                        f"line 1: {shown(header[found[column]])} and "
                        f"{shown(cell)} are both names of the column '{column}'"
                    )
                found[column] = place
    return found


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number (of the last line) and fields of every row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(
            f"line {reader.line_num}: {error}; a field with quotes in it is written "
            'with them doubled, in quotes: """a"" b.jpg"'
        ) from None


def _row(line: int, cells: list[str], columns: dict[str, int], width: int, paths: bool) -> LabelRow:
    rest = [cell for cell in cells[width:] if cell.strip()]
    if rest and columns["tags"] != width - 1:
        raise ValueError(
            f"line {line}: {len(cells)} fields where the header has {width}; "
            'write several tags as "cat, dog", in quotes'
        )
    cells = [*cells, *[""] * (width - len(cells))]
    where = f"line {line}"
    file = _file_name(cells[columns["file"]], where, paths)
    cell = ",".join([cells[columns["tags"]], *rest])
    parts = (_listed(cell) if paths else None) or _BETWEEN_TAGS.split(cell)
    if broken := next((part for part in parts if re.search(r"\S\s*[\r\n]\s*\S", part)), None):
        raise ValueError(
            f"{where}: tag {shown(broken.strip())} holds a line break; write several tags as "
            '"cat, dog"'
        )
    word = cells[columns["split"]] if "split" in columns else ""
    return LabelRow(line, file, clean_tags(parts, where), split_of(word, where))


def clean_tags(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Tags of a photograph, each once.

    Raises:
        ValueError: one of them can be no class; the message begins with ``where``.
    """
    tags = tuple(dict.fromkeys(filter(None, map(clean, names))))
    for problem in filter(None, map(problem_of, tags)):
        raise ValueError(
            f"{where}: tag {problem}; the field stays empty where a photograph shows none of the "
            "classes"
        )
    return tags


def split_of(word: str, where: str) -> str | None:
    """The split that a word stands for; None where there is none.

    Raises:
        ValueError: it is no split's; the message begins with ``where``.
    """
    word = word.strip().casefold()
    if word and word not in SPLIT_WORDS:
        raise ValueError(f"{where}: split {shown(word)}: expected 'train' or 'val'")
    return SPLIT_WORDS.get(word)


def _listed(cell: str) -> list[str] | None:
    """Names in a list as JSON and Python write one; None where it is none."""
    if not (cell.strip().startswith("[") and cell.strip().endswith("]")):
        return None
    try:
        found = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    whole = isinstance(found, list) and all(isinstance(name, str) for name in found)
    return (found or [""]) if whole else None


def _file_name(cell: str, where: str, paths: bool) -> str:
    name = cell.strip().removeprefix("./")
    name = name if paths else name.removeprefix("images/")
    if not name:
        raise ValueError(f"{where}: no file name")
    if paths and not (has_control(name) or ".." in name.split("/") or name.startswith("/")):
        return name
    if re.search(r"[/\\]", name) or name in (".", "..") or has_control(name):
        raise ValueError(
            f"{where}: {shown(cell)}: expected "
            + (
                "a path below the folder"
                if paths
                else "the name of a file directly in images/, no path"
            )
        )
    return name
