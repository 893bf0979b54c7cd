"""Contact sheets: their layout, on images of all shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.images.palette import voc_palette
from hfpl.stages.report import sheets
from hfpl.stages.report.cells import label_places
from hfpl.stages.report.sheets import (
    CELL,
    COLUMNS,
    GAP,
    MARGIN,
    WIDTH,
    Example,
    contact_sheet,
    draw_row,
)

CLASSES = tuple(f"class {k}" for k in range(1, 21))


def example(size=(40, 50), tags=(0,), truth=True, name="image", seed=0):
    rng = np.random.default_rng(seed)
    cams = rng.random((len(tags), *size), dtype=np.float32)
    mask = np.zeros(size, np.uint8)
    mask[: size[0] // 2 + 1] = tags[0] + 1 if tags else 0
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return Example(name, image, tags, cams, mask, mask if truth else None, mask if truth else None)


def cell_of(row, column):
    left = MARGIN + column * (CELL + GAP)
    return np.asarray(row)[:, left : left + CELL]


@given(st.tuples(st.integers(1, 400), st.integers(1, 400)), st.sets(st.integers(0, 19)))
@settings(deadline=None, max_examples=40)
def test_any_size_and_any_number_of_classes_fit_a_row(size, tags):
    row = draw_row(example(size, sorted(tags)), CLASSES)
    assert row.width == WIDTH
    assert row.height <= CELL + 40
    pixels = np.asarray(row)
    assert (pixels[:, :MARGIN] == 255).all()
    assert (pixels[:, -MARGIN:] == 255).all()
    for column in range(len(COLUMNS) - 1):
        left = MARGIN + column * (CELL + GAP) + CELL
        assert (pixels[:, left : left + GAP] == 255).all()


def test_a_row_is_as_high_as_its_image_in_a_cell():
    square = draw_row(example((64, 64)), CLASSES)
    flat = draw_row(example((32, 64)), CLASSES)
    assert square.height - flat.height == CELL // 2


def test_a_portrait_is_centred():
    row = draw_row(example((100, 50)), CLASSES)
    for column in range(len(COLUMNS)):
        used = (cell_of(row, column)[:CELL] != 255).any((0, 2))
        assert list(np.flatnonzero(used)[[0, -1]]) == [CELL // 4, 3 * CELL // 4 - 1]


def test_columns_show_what_they_say():
    size = (48, 48)
    image = np.full((*size, 3), (10, 120, 240), np.uint8)
    maps = [np.full(size, label, np.uint8) for label in (1, 2, 3)]
    shown = Example("a", image, [0], np.zeros((1, *size), np.float32), *maps)
    row = draw_row(shown, CLASSES)
    assert (cell_of(row, 0)[:CELL] == (10, 120, 240)).all()
    heat = cell_of(row, 1)[:CELL]
    assert (heat == heat[0, 0]).all()
    for column, label in ((2, 1), (3, 2), (4, 3)):
        cell = cell_of(row, column)[:CELL]
        coloured = (cell == voc_palette()[label]).all(2)
        # All but the class's name in the middle.
        assert coloured[: CELL // 2 - 20].all()
        assert coloured[CELL // 2 + 20 :].all()
        assert (cell[CELL // 2 - 10 : CELL // 2 + 10] == 255).all(2).any()


@pytest.mark.parametrize("name", ["x", "a name that is much longer than its cell", "né \U0001f408"])
def test_names_at_an_edge_stay_in_their_cell(name):
    size = (64, 64)
    mask = np.zeros(size, np.uint8)
    mask[20:44, :4] = 1
    cams = np.zeros((1, *size), np.float32)
    image = np.full((*size, 3), 100, np.uint8)
    shown = Example("a", image, [0], cams, mask, mask, mask)
    plain, named = (np.asarray(draw_row(shown, [text])) for text in ("", name))
    changed = np.flatnonzero((plain != named)[:CELL].any((0, 2)))
    lefts = [MARGIN + column * (CELL + GAP) for column in (2, 3, 4)]
    assert all(any(left <= x < left + CELL for left in lefts) for x in changed)
    assert len(changed) >= 3 * 5


def test_a_label_is_named_where_it_is_widest():
    mask = np.zeros((40, 60), np.uint8)
    mask[2:4] = 3  # a line, long and thin
    mask[20:36, 40:56] = 3
    mask[10, 10] = 7  # too small
    mask[:, 58:] = 255
    places = label_places(mask)
    assert set(places) == {3}
    y, x = places[3]
    assert abs(y * 40 - 28) <= 1
    assert abs(x * 60 - 48) <= 1


def test_each_class_has_its_own_heat_map():
    size = (48, 48)
    cams = np.stack([np.full(size, value, np.float32) for value in (0.0, 1.0)])
    mask = np.zeros(size, np.uint8)
    image = np.full((*size, 3), 100, np.uint8)
    cell = cell_of(draw_row(Example("a", image, [0, 1], cams, mask, mask, mask), CLASSES), 1)
    middle = cell[CELL // 2].astype(int).sum(1)
    assert (middle[CELL // 2 + 5 :] > middle[: CELL // 2 - 5] + 100).all()


def test_missing_masks_are_plain_and_untagged_images_have_no_heat():
    row = draw_row(example(tags=(), truth=False), CLASSES)
    plain = cell_of(row, 3)[:20]
    assert (plain == plain[0, 0]).all()
    assert (plain != 255).all()
    heat = cell_of(row, 1)[:CELL]
    assert (heat[..., 0].astype(int) - heat[..., 1]).max() < 10


def test_a_sheet_holds_all_rows_below_each_other():
    rows = [example((30, 60), [k], name=f"image {k}") for k in (4, 7)]
    sheet = contact_sheet(rows, CLASSES, "title", "note")
    drawn = [np.asarray(draw_row(row, CLASSES)) for row in rows]
    pixels = np.asarray(sheet)[:-MARGIN]
    assert sheet.width == WIDTH
    assert (pixels[-len(drawn[1]) :] == drawn[1]).all()
    assert (pixels[-len(drawn[0]) - len(drawn[1]) : -len(drawn[1])] == drawn[0]).all()


def test_the_legend_shows_the_labels_on_the_sheet_and_no_others():
    rows = [example((30, 60), [k]) for k in (4, 7)]
    head = np.asarray(contact_sheet(rows, CLASSES, "title", "note"))[:130].reshape(-1, 3)
    shown = {k for k in range(1, 21) if (head == voc_palette()[k]).all(1).sum() > 100}
    assert shown == {5, 8}


def test_legend_of_twenty_classes_stays_on_the_sheet():
    sheet = contact_sheet([example(tags=list(range(20)))], CLASSES, "t" * 300, "n" * 300)
    pixels = np.asarray(sheet)
    assert (pixels[:, :MARGIN] == 255).all()
    assert (pixels[:, -MARGIN + 1 :] == 255).all()


def test_void_is_named():
    with_void = example()
    with_void.truth[0] = 255
    entries = sheets._legend_entries({0, 1, 255}, CLASSES)
    assert [name for name, _ in entries] == ["background", "class 1", "not scored"]
    assert entries[-1][1] == (255, 255, 255)


def test_equal_examples_give_equal_pixels():
    first, second = (
        contact_sheet([example(seed=3)], CLASSES, "title", "note").tobytes() for _ in range(2)
    )
    assert first == second
    assert contact_sheet([example(seed=4)], CLASSES, "title", "note").tobytes() != first


@pytest.mark.parametrize("text", ["", "short", "a rather long name", "W" * 200])
@pytest.mark.parametrize("width", [20, 60, 192])
def test_shortened_text_fits_and_is_a_start(text, width):
    face = sheets.font(11)
    found = sheets.shorten(text, width, face)
    assert found == text or face.getlength(found) <= width
    assert text.startswith(found.removesuffix("…"))
    if face.getlength(text) <= width:
        assert found == text
