"""Contact sheets: images in rows, what each stage made of them in columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hfpl.images.palette import IGNORE
from hfpl.stages.report.cells import (
    fit,
    heat,
    heat_cell,
    image_cell,
    label_cell,
    label_colours,
    label_places,
    labels_in,
    tile_box,
    tiling,
)
from hfpl.stages.report.names import drawable, typeface
from hfpl.stages.report.style import FAINT, INK, MUTED, PAPER

CELL, GAP, MARGIN, LINE = 192, 8, 16, 28
"""Side of a cell, space between cells, margin of the sheet, height of a line, in pixels."""
TITLE, HEADING, TEXT, SMALL = 26, 20, 18, 16
"""Sizes of letters, in pixels; a phone shows a sheet at a third of its width."""
COLUMNS = ("Image", "CAM", "Pseudo-label", "Prediction", "Ground truth")
_NAME, _TITLES = 400, 760
"""Longest name of a class in the legend, and longest title, in pixels."""
WIDTH = 2 * MARGIN + len(COLUMNS) * CELL + (len(COLUMNS) - 1) * GAP


@dataclass(frozen=True)
class Example:
    """An image and what the stages made of it; h and w are the same throughout.

    Attributes:
        id: name of the image.
        image: RGB uint8 (h, w, 3).
        tags: classes of the CAMs, counted from 0 without background.
        cams: float32 (m, h, w) in [0, 1], m = len(tags).
        pseudo, prediction, truth: label maps, uint8 (h, w), or None where there is none.
    """

    id: str
    image: np.ndarray
    tags: Sequence[int]
    cams: np.ndarray
    pseudo: np.ndarray | None
    prediction: np.ndarray | None
    truth: np.ndarray | None


def contact_sheet(
    examples: Iterable[Example], classes: Sequence[str], title: str, note: str
) -> Image.Image:
    """Draw a contact sheet, RGB, :data:`WIDTH` pixels wide and as high as its rows need.

    Args:
        examples: drawn one after the other, so that one image is in memory at a time.
        classes: names of the foreground classes.
        title, note: a large line and a small one above the pictures.
    """
    rows, labels = [], {0}
    for example in examples:
        rows.append(draw_row(example, classes))
        labels |= labels_in([example.pseudo, example.prediction, example.truth])
        labels |= {tag + 1 for tag in example.tags}
    head = _draw_head(title, note, _legend_entries(labels, classes))
    sheet = Image.new("RGB", (WIDTH, head.height + sum(r.height for r in rows) + MARGIN), PAPER)
    top = 0
    for part in (head, *rows):
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def draw_row(example: Example, classes: Sequence[str]) -> Image.Image:
    """One image's row: as high as the image fitted into a cell, and a line of captions."""
    size = fit(example.image.shape[:2], (CELL, CELL))
    cells = [
        image_cell(example.image, size),
        _draw_cams(example, size),
        *(
            _missing(size) if mask is None else _draw_labels(example.image, mask, size, classes)
            for mask in (example.pseudo, example.prediction, example.truth)
        ),
    ]
    row = Image.new("RGB", (WIDTH, size[0] + LINE + GAP), PAPER)
    for column, cell in enumerate(cells):
        place = (_left(column) + (CELL - cell.width) // 2, (size[0] - cell.height) // 2)
        row.paste(cell, place)
    draw = ImageDraw.Draw(row)
    # Several CAMs are named in the order in which they are read.
    captions = (example.id, " · ".join(classes[tag] for tag in example.tags) or "no tags")
    for column, text in enumerate(captions):
        place = (_left(column) + CELL / 2, size[0] + 4)
        _write(draw, place, text, CELL, MUTED, SMALL, anchor="ma")
    return row


def shorten(text: str, width: float, face: ImageFont.FreeTypeFont) -> str:
    """The text, or as much of its start as fits into ``width`` pixels with a mark after it."""
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def font(size: int, weight: str = "", text: str = "") -> ImageFont.FreeTypeFont:
    """A typeface that has the letters of a text."""
    return _opened(typeface(text, weight), size)


@cache
def _opened(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    width: float,
    colour: str,
    size: int,
    weight: str = "",
    **options: str,
) -> None:
    """Draw text that people gave, as much of it as fits."""
    shown = drawable(text)
    face = font(size, weight, shown)
    draw.text(place, shorten(shown, width, face), colour, face, **options)


def _left(column: int) -> int:
    return MARGIN + column * (CELL + GAP)


def _draw_cams(example: Example, size: tuple[int, int]) -> Image.Image:
    """A heat map per class, side by side or below each other, in the space of one cell."""
    if not len(example.tags):
        return heat_cell(example.image, np.zeros(example.image.shape[:2], np.float32), size)
    gap = 2
    box = (size[0], CELL)
    grid = tiling(size, len(example.tags), box, gap)
    tile = fit(size, tile_box(box, grid, gap))
    height, width = (n * (side + gap) - gap for n, side in zip(grid, tile, strict=True))
    cell = Image.new("RGB", (width, height), PAPER)
    for k, scores in enumerate(example.cams):
        row, column = divmod(k, grid[1])
        place = (column * (tile[1] + gap), row * (tile[0] + gap))
        cell.paste(heat_cell(example.image, scores, tile), place)
    return cell


def _draw_labels(
    image: np.ndarray, mask: np.ndarray, size: tuple[int, int], classes: Sequence[str]
) -> Image.Image:
    cell = label_cell(image, mask, size)
    name_labels(cell, mask, classes)
    return cell


def name_labels(picture: Image.Image, mask: np.ndarray, classes: Sequence[str]) -> None:
    """Write the names of classes where they are: not all eyes tell the colours apart.

    Args:
        picture: RGB, of any size, to write on.
        mask: label map, uint8 (h, w).
        classes: names of the foreground classes.
    """
    draw = ImageDraw.Draw(picture)
    for label, (y, x) in label_places(mask).items():
        name = drawable(_name_of(label, classes))
        face = font(SMALL, "", name)
        shown = shorten(name, picture.width, face)
        half = face.getlength(shown) / 2
        place = min(max(x * picture.width, half), picture.width - half), y * picture.height
        draw.text(place, shown, PAPER, face, anchor="mm", stroke_width=2, stroke_fill=INK)


def _missing(size: tuple[int, int]) -> Image.Image:
    cell = Image.new("RGB", (size[1], size[0]), FAINT)
    place = (size[1] / 2, size[0] / 2)
    ImageDraw.Draw(cell).text(place, "none", MUTED, font(SMALL), anchor="mm")
    return cell


def _legend_entries(labels: set[int], classes: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the labels on the sheet, in their order."""
    palette = label_colours()
    return [(_name_of(k, classes), tuple(palette[k].tolist())) for k in sorted(labels)]


def _name_of(label: int, classes: Sequence[str]) -> str:
    """What a label is called; a label map may hold some that no class has."""
    names = {0: "background", IGNORE: "not scored", **dict(enumerate(classes, 1))}
    return names.get(label, f"label {label}")


def _draw_head(title: str, note: str, entries: list[tuple[str, tuple[int, ...]]]) -> Image.Image:
    """Title, note, legend and column headings."""
    lengths = [font(TEXT, "", drawable(n)).getlength(drawable(n)) for n, _ in entries]
    places = list(_flow([min(length, _NAME) + 2 * LINE for length in lengths]))
    legend = MARGIN + 68
    headings = legend + (places[-1][1] + 1) * LINE + 10
    head = Image.new("RGB", (WIDTH, headings + LINE), PAPER)
    draw = ImageDraw.Draw(head)
    _write(draw, (MARGIN, MARGIN - 6), title, _TITLES, INK, TITLE, "-Bold")
    _write(draw, (MARGIN, MARGIN + 30), note, _TITLES, MUTED, TEXT)
    _draw_scale(head)
    for (name, colour), (left, line) in zip(entries, places, strict=True):
        top = legend + line * LINE
        draw.rectangle((MARGIN + left, top, MARGIN + left + TEXT, top + TEXT), colour, MUTED)
        _write(draw, (MARGIN + left + LINE, top - 1), name, _NAME, INK, TEXT)
    for column, name in enumerate(COLUMNS):
        place = (_left(column) + CELL / 2, headings)
        draw.text(place, name, INK, font(HEADING, "-Bold"), anchor="ma")
    return head


def _flow(widths: Sequence[float]) -> Iterator[tuple[float, int]]:
    """Left edge and line of each item, filled line after line."""
    left, line = 0.0, 0
    for width in widths:
        if left and left + width > WIDTH - 2 * MARGIN:
            left, line = 0.0, line + 1
        yield left, line
        left += width


def _draw_scale(head: Image.Image) -> None:
    """What the heat's colours mean, at the upper right."""
    width, height = CELL, 14
    ramp = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width))
    left, top = WIDTH - MARGIN - width, MARGIN + SMALL + 4
    head.paste(Image.fromarray(heat(np.full(ramp.shape, 128, np.float32), ramp)), (left, top))
    draw = ImageDraw.Draw(head)
    draw.text((left, top - SMALL - 4), "CAM score", MUTED, font(SMALL))
    draw.text((left, top + height + 2), "0", MUTED, font(SMALL))
    draw.text((left + width, top + height + 2), "1", MUTED, font(SMALL), anchor="ra")
