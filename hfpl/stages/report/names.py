"""Names that people gave, as a picture can show them."""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

LONGEST = 28
"""Characters of a name beside an axis."""
_LINE, _MOST_LINES = 110, 12


def typeface(text: str, weight: str = "") -> Path:
    """File of a typeface that has the letters of a text.

    The one that matplotlib brings along, so that plots and sheets look the same everywhere; where
    it lacks a letter, the first that is installed here and has all; else matplotlib's again.

    Args:
        weight: empty or ``-Bold``; of matplotlib's alone.
    """
    own = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{weight}.ttf"
    lacking = frozenset(text) - _letters(str(own))
    return (Path(_installed_with(frozenset(text)) or own) if lacking else own).resolve()


def drawable(text: str) -> str:
    """A text without letters that no typeface here has: their numbers stand for them."""
    lacking = set(text) - _letters(str(typeface(text)))
    return "".join(f"[U+{ord(c):04X}]" if c in lacking else c for c in text)


def short_names(names: Sequence[str]) -> tuple[list[str], str]:
    """Names of at most 28 characters, and what those that were shortened are in full, in lines."""
    shown = [drawable(name) for name in names]
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in shown]
    whole = [f"{s} is {full}" for s, full in zip(short, shown, strict=True) if s != full]
    lines = [line for text in whole for line in textwrap.wrap(text, _LINE)]
    rest = ["…"] if len(lines) > _MOST_LINES else []
    return short, "\n".join([*lines[:_MOST_LINES], *rest])


@cache
def _letters(path: str) -> frozenset[str]:
    """Letters of a typeface, and what is never drawn."""
    return frozenset(map(chr, FT2Font(path).get_charmap())) | {"\n", " "}


@cache
def _installed_with(letters: frozenset[str]) -> str | None:
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.fname):
        # The last resort draws a box for every letter there is.
        if "Last Resort" in entry.name or not Path(entry.fname).is_file():
            continue
        try:
            if letters <= _letters(entry.fname):
                return entry.fname
        except (OSError, RuntimeError):
            continue  # of a kind that matplotlib does not read
    return None
