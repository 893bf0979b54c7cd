"""Names of classes: one rule for all formats of what may be one, and what is none."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

MOST = 254
"""Classes that a label map of 8 bits holds beside background and what is not scored."""
_BACKGROUND = ("background", "bg")
_RESERVED = (*_BACKGROUND, "void", "ignore", "ignored", "unlabeled", "unlabelled")
"""Without the underscores around them that tools write: ``_background_``, ``__ignore__``."""
_NULLS = ("nan", "none", "null", "n/a", "#n/a", "na", "nil", "-", "--", "—", "?", ".")
"""What programs and people write where there is nothing."""
_LIST_SIGNS = r"[\[{].*|.*[\]}]|([\"'`]).*\1|“.*”|‘.*’|«.*»"
"""Names by which a list was written out: ``['dog'``, ``'cat'``, ``'cow']``."""
_SHOWN = 80


def clean(text: str) -> str:
    """Text in Unicode's composed form, each run of white space as one space, without characters
    that are not seen: zero-width ones, byte-order marks, marks of direction."""
    seen = (c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf")
    return " ".join("".join(seen).split())


def shown(text: str) -> str:
    """Text in quotes for a message: without control characters, at most 80 characters; letters of
    a second alphabet by their numbers, for they look like the first's."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return ascii(short) if len(_alphabets(text)) > 1 else repr(short)


def counted(files: Sequence[str], what: str) -> str:
    """How many files are what, with the names of the first for a message."""
    more = ", …" if len(files) > 3 else ""
    return f"{len(files)} {what} ({', '.join(map(shown, files[:3]))}{more})"


def has_control(text: str) -> bool:
    """Whether a text holds control characters, or halves of characters."""
    return any(unicodedata.category(c) in ("Cc", "Cs") for c in text)


def is_reserved(name: str) -> bool:
    """Whether a name stands for the background or for what is not labelled."""
    return name.casefold().strip("_ ") in _RESERVED


def is_null(name: str) -> bool:
    """Whether a name stands for nothing, as programs write it."""
    return name.casefold() in _NULLS


def problem_of(name: str) -> str | None:
    """Why a clean name can be no class, in words; None where it can."""
    if has_control(name):
        return f"{shown(name)} holds a control character"
    if is_reserved(name):
        return (
            f"{shown(name)} is no class: background is part of every photograph, and what is not "
            "labelled is 255 in the masks"
        )
    if is_null(name):
        return f"{shown(name)} stands for nothing; leave it out"
    if re.fullmatch(_LIST_SIGNS, name):
        return f"{shown(name)} looks like a part of a list; write names with commas between them"
    return None


def check_classes(classes: Sequence[str], where: str) -> None:
    """Refuse classes that cannot be, or cannot be told apart.

    Raises:
        ValueError: the message begins with ``where``.
    """
    if not 1 <= len(classes) <= MOST:
        raise ValueError(f"{where}: expected 1 to {MOST} classes, found {len(classes)}")
    alike: dict[str, str] = {}
    for name in classes:
        if not name or name != clean(name):
            raise ValueError(f"{where}: class {shown(name)} is empty, or has characters unseen")
        if problem := problem_of(name):
            raise ValueError(f"{where}: class {problem}")
        other = alike.setdefault(likeness(name), name)
        if other is not name:
            how = "twice" if other == name else f"beside {shown(other)}, which looks the same"
            raise ValueError(f"{where}: class {shown(name)} is there {how}")


def class_lines(content: bytes, where: str) -> tuple[str, ...]:
    """Classes of a file with one a line, in the order of their labels 1, 2, ….

    Lines at the beginning that stand for the background, or for what is not labelled, are left
    out: label 0 is the background's in any case.

    Raises:
        ValueError: not UTF-8, or as :func:`check_classes`.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{where}: not UTF-8") from None
    names = [name for name in map(clean, text.splitlines()) if name]
    while names and is_reserved(names[0]):
        del names[0]
    check_classes(names, where)
    return tuple(names)


def likeness(name: str) -> str:
    """Equal for names that are hard to tell apart: in capitals, width or compatible forms."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def mixed_alphabets(names: Iterable[str]) -> list[str]:
    """Names with letters of more than one alphabet, in a form that shows which."""
    return [shown(name) for name in names if len(_alphabets(name)) > 1]


def _alphabets(text: str) -> set[str]:
    """Alphabets of a text, of those whose letters look alike."""
    found = set()
    for letter in filter(str.isalpha, text):
        alphabet = re.match("LATIN|CYRILLIC|GREEK|ARMENIAN|CHEROKEE", unicodedata.name(letter, ""))
        if alphabet:
            found.add(alphabet[0])
    return found
