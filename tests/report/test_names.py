"""Names of any script and length can be read in the pictures, or at least told apart."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.font_manager import fontManager

from hfpl.stages.report import names
from hfpl.stages.report.names import LONGEST, drawable, short_names, typeface
from hfpl.stages.report.plots import class_bars, plot_style
from hfpl.stages.report.sheets import contact_sheet

CJK = "犬"


@pytest.fixture
def no_other_fonts(monkeypatch):
    """As on a machine where matplotlib's own typefaces are all there are."""
    monkeypatch.setattr(names, "_installed_with", lambda letters: None)


def test_letters_that_no_typeface_has_are_numbers(no_other_fonts):
    assert drawable(f"{CJK} dog") == "[U+72AC] dog"
    assert drawable("über größe") == "über größe"
    assert drawable("") == ""
    assert typeface("dog").name == "DejaVuSans.ttf"


def test_a_typeface_that_is_installed_and_has_all_letters_is_taken(monkeypatch):
    names._installed_with.cache_clear()
    other = next(e for e in fontManager.ttflist if Path(e.fname).name == "STIXGeneral.ttf")
    monkeypatch.setattr(fontManager, "ttflist", [other])
    letter = sorted(names._letters(other.fname) - names._letters(str(typeface("a"))))[0]
    assert typeface(f"a{letter}").name == "STIXGeneral.ttf"
    assert drawable(f"a{letter}") == f"a{letter}"
    assert typeface(f"{CJK}{letter}").name == "DejaVuSans.ttf"
    names._installed_with.cache_clear()


def test_long_names_are_shortened_and_told_in_full(no_other_fonts):
    long = "a very long name of a class " * 8
    short, full = short_names(["cat", long, CJK])
    assert short[0] == "cat"
    assert len(short[1]) == LONGEST
    assert short[1].endswith("…")
    assert short[2] == "[U+72AC]"
    assert full.startswith(f"{short[1]} is a very long name")
    assert max(map(len, full.splitlines())) <= 110


def test_a_long_name_leaves_the_axes_their_room(no_other_fonts):
    classes = ["cat", "dog " * 50, CJK]
    per_class = dict.fromkeys(["background", *classes], 50.0)
    row = {"miou": 50.0, "contour_f": 40.0, "iou": per_class, "contour_f_per_class": per_class}
    with plot_style():
        figure = class_bars(classes, {"cam": row}, "title")
        figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_position().width > 0.3
    assert [label.get_text() for label in axes.get_yticklabels()][2:] == [
        "cat", f"{('dog ' * 50)[:LONGEST - 1]}…", "[U+72AC]",
    ]  # fmt: skip


def test_a_sheet_with_any_names_has_its_width(no_other_fonts):
    from hfpl.stages.report.sheets import WIDTH, Example

    image = np.zeros((20, 30, 3), np.uint8)
    label = np.ones((20, 30), np.uint8)
    example = Example(CJK, image, [0], np.ones((1, 20, 30), np.float32), label, label, label)
    sheet = contact_sheet([example], ["dog " * 60, CJK], CJK * 3, "note")
    assert sheet.width == WIDTH
