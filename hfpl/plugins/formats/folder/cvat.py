"""Exports of CVAT (for images 1.1): tags and shapes are tags; polygons and masks can be drawn."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from hfpl.images.regions import FARTHEST, Region, runs_of
from hfpl.plugins.formats.folder.labels import clean_tags
from hfpl.plugins.formats.folder.listing import SPLIT_WORDS, Drawn, Listing, Row
from hfpl.plugins.formats.xml import kind, parse_xml

_SHAPES = ("tag", "box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")


def looks_like_cvat(content: bytes) -> bool:
    """Whether an XML file is meant to be CVAT's."""
    try:
        return kind(parse_xml(content)) == "annotations"
    except ValueError:
        return b"<annotations" in content[:4096]


def read_cvat(root: str, file: str, content: bytes) -> Listing:
    """Rows of all images.

    Args:
        root: for messages.
        file: name of the export.

    Raises:
        ValueError: the file is malformed; the message names the image.
    """
    try:
        tree = parse_xml(content)
    except ValueError as error:
        raise ValueError(f"{root}/{file}: {error}") from None
    rows = []
    for image in tree:
        if kind(image) != "image":
            continue
        name = image.get("name", "")
        where = f"{root}/{file}: image {name!r}"
        if not name:
            raise ValueError(f"{root}/{file}: an image has no name")
        try:
            shapes = [shape for shape in image if kind(shape) in _SHAPES]
            tags = clean_tags((shape.get("label", "") for shape in shapes), where)
            drawn = _drawn(image, shapes)
        except ValueError as error:
            reason = f"{error}".removeprefix(f"{where}: ")
            raise ValueError(f"{where}: {reason}") from None
        split = SPLIT_WORDS.get(image.get("subset", "").casefold())
        rows.append(Row(where, name, tags, split, drawn))
    if not rows:
        raise ValueError(f"{root}/{file}: no <image>; export it as 'CVAT for images 1.1'")
    return Listing("CVAT's export", file, rows)


def _drawn(image: Element, shapes: list[Element]) -> Drawn | None:
    # Those with a higher z_order cover others.
    shapes = sorted(shapes, key=lambda shape: _number(shape, "z_order", "0"))
    found = [
        (shape.get("label", ""), region) for shape in shapes for region in _region(shape, image)
    ]
    if not found:
        return None
    return Drawn(_size(image), [(clean_tags([name], "")[0], region) for name, region in found])


def _size(image: Element) -> tuple[int, int]:
    height, width = int(_number(image, "height")), int(_number(image, "width"))
    if not (1 <= height <= FARTHEST and 1 <= width <= FARTHEST):
        raise ValueError(f"{width}x{height} pixels")
    return height, width


def _region(shape: Element, image: Element) -> Iterator[Region]:
    if kind(shape) == "polygon":
        try:
            points = [
                [float(v) for v in pair.split(",")] for pair in shape.get("points", "").split(";")
            ]
            vertices = np.asarray(points, np.float64).reshape(-1, 2)
        except ValueError:
            raise ValueError("the points of a polygon are not x,y;x,y;…") from None
        if not (np.abs(vertices) <= FARTHEST).all():
            raise ValueError("the points of a polygon are not x,y;x,y;…")
        yield [vertices.astype(np.int32)]
    elif kind(shape) == "mask":
        yield _mask(shape, _size(image))


def _mask(shape: Element, size: tuple[int, int]) -> Region:
    """Run lengths of the whole image, column by column, of a mask's, which are row by row in its
    box."""
    left, top, width, height = (int(_number(shape, n)) for n in ("left", "top", "width", "height"))
    try:
        counts = [int(text) for text in shape.get("rle", "").split(",")]
    except ValueError:
        raise ValueError("the runs of a mask are not whole numbers") from None
    inside = left >= 0 and top >= 0 and top + height <= size[0] and left + width <= size[1]
    if not inside or min(counts) < 0 or sum(counts) != width * height:
        raise ValueError("the runs of a mask do not fit its box, or this the image")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    whole = np.zeros(size, bool)
    whole[top : top + height, left : left + width] = flat.reshape(height, width)
    return runs_of(whole)


def _number(element: Element, name: str, default: Any = None) -> float:
    text = element.get(name, default)
    try:
        number = float(text)
    except (TypeError, ValueError):
        raise ValueError(f"<{kind(element)}> has no number '{name}'") from None
    if not np.isfinite(number):
        raise ValueError(f"<{kind(element)}> has no number '{name}'")
    return number
