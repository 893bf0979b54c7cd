"""Exports of Label Studio (JSON): choices, rectangles, ellipses, polygons and brushes are tags;
polygons and brushes can be drawn."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from hfpl.images.regions import FARTHEST, Region, runs_of
from hfpl.plugins.formats.folder.labels import clean_tags
from hfpl.plugins.formats.folder.listing import Drawn, Listing, Row

_TAGGED = ("choices", "labels", "rectanglelabels", "ellipselabels", "polygonlabels", "brushlabels",
           "keypointlabels")  # fmt: skip
"""Types of a result that name classes, under a key of the same name."""
_MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)


def looks_like_label_studio(content: Any) -> bool:
    """Whether the content of a JSON file is meant to be Label Studio's."""
    return isinstance(content, list) and all(
        isinstance(task, dict) and "data" in task for task in content[:1]
    ) and bool(content)  # fmt: skip


def read_label_studio(root: str, file: str, content: Any) -> Listing:
    """Rows of the tasks that somebody has annotated.

    Args:
        root: for messages.
        file: name of the export.
        content: of its JSON.

    Raises:
        ValueError: a task is malformed; the message names it.
    """
    rows, skipped = [], 0
    for number, task in enumerate(content, start=1):
        where = (
            f"{root}/{file}: task {task.get('id', number) if isinstance(task, dict) else number}"
        )
        try:
            done = [a for a in task.get("annotations", []) if not a.get("was_cancelled")]
            if not done:
                skipped += 1
                continue
            name = _address(task["data"])
            results = [result for annotation in done for result in annotation["result"]]
            tags = clean_tags((n for result in results for n in _names(result)), where)
            # Of several persons' regions the last one's count.
            drawn = _drawn(done[-1]["result"])
        except _MALFORMED as error:
            reason = f"{error}" if type(error) is ValueError else f"{type(error).__name__} {error}"
            reason = reason.removeprefix(f"{where}: ")
            raise ValueError(f"{where}: {reason}") from None
        rows.append(Row(where, name, tags, None, drawn, address=True))
    if not rows:
        raise ValueError(f"{root}/{file}: no task is annotated")
    notes = [f"{skipped} tasks are not annotated"] if skipped else []
    return Listing("Label Studio's export", file, rows, "", notes)


def _address(data: Mapping[str, Any]) -> str:
    """The path in a task's address, without what an upload puts before the photograph's name."""
    texts = [v for v in data.values() if isinstance(v, str)]
    value = data.get("image") or data.get("img") or (texts[0] if texts else None)
    if not isinstance(value, str):
        raise ValueError("its data name no image")
    parts = urlsplit(value)
    # /data/local-files/?d=folder/name.jpg
    path = PurePosixPath(parse_qs(parts.query).get("d", [unquote(parts.path)])[0])
    if not path.name:
        raise ValueError(f"its image is {value!r}, no file")
    if "upload" in path.parts[:-1]:
        return re.sub(r"^[0-9a-f]{8}-", "", path.name)
    return str(path).lstrip("/")


def _names(result: Mapping[str, Any]) -> Sequence[str]:
    kind = result["type"]
    names = result["value"].get(kind, []) if kind in _TAGGED else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"'{kind}' is no list of names")
    return names


def _drawn(results: Sequence[Mapping[str, Any]]) -> Drawn | None:
    found = list(_regions(results))
    if not found:
        return None
    sizes = {size for size, _, _ in found}
    if len(sizes) > 1:
        raise ValueError("its regions are of images of different sizes")
    return Drawn(sizes.pop(), [(name, region) for _, name, region in found])


def _regions(
    results: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[tuple[int, int], str, Region]]:
    for result in results:
        kind, value = result["type"], result["value"]
        if kind not in ("polygonlabels", "brushlabels"):
            continue
        height, width = int(result["original_height"]), int(result["original_width"])
        if not (1 <= height <= FARTHEST and 1 <= width <= FARTHEST):
            raise ValueError(f"an image of {width}x{height} pixels")
        (name,) = clean_tags(_names(result)[:1], "a region")
        if kind == "polygonlabels":
            points = np.asarray(value["points"], np.float64).reshape(-1, 2)
            if not np.isfinite(points).all() or np.abs(points).max(initial=0) > 1000:
                raise ValueError("a polygon is not a list of points in percent")
            points = points / 100 * [width, height]
            yield (height, width), name, [points.astype(np.int32)]
        else:
            mask = brush_mask(value["rle"], (height, width))
            yield (height, width), name, runs_of(mask)


def brush_mask(rle: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Boolean (h, w) of a brush, as Label Studio packs its RGBA pixels (the npm package
    @thi.ng/rle-pack, 8 bits a word); a pixel belongs to it where its opacity is above one half.

    Raises:
        ValueError: the numbers are no such packing, or not of this size.
    """
    if not all(type(n) is int and 0 <= n < 256 for n in rle):
        raise ValueError("a brush is not a list of bytes")
    bits = _Bits(np.unpackbits(np.asarray(rle, np.uint8)))
    count, word = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if count != size[0] * size[1] * 4 or word != 8:
        raise ValueError(f"a brush of {count} numbers in an image of {size[1]}x{size[0]} pixels")
    pixels = np.empty(count, np.uint8)
    place = 0
    while place < count:
        repeated = bits.take(1)
        number = min(bits.take(sizes[bits.take(2)]) + 1, count - place)
        end = place + number
        pixels[place:end] = bits.take(word) if repeated else bits.bytes(number)
        place = end
    return pixels.reshape(*size, 4)[..., 3] > 127


class _Bits:
    """Numbers read from bits, the highest first."""

    def __init__(self, bits: np.ndarray) -> None:
        self._bits, self._place = bits, 0

    def take(self, width: int) -> int:
        part = self._next(width)
        return int(part.dot(1 << np.arange(width - 1, -1, -1, dtype=np.int64)))

    def bytes(self, number: int) -> np.ndarray:
        return np.packbits(self._next(number * 8))

    def _next(self, width: int) -> np.ndarray:
        part = self._bits[self._place : self._place + width]
        if len(part) != width:
            raise ValueError("a brush ends in the middle")
        self._place += width
        return part
