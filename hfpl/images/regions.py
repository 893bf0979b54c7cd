"""Regions that people drew, as annotation files have them: polygons and run lengths."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

Region = Sequence[np.ndarray] | Mapping[str, Any]
"""Polygons, int32 (n, 2) as x and y each, or run lengths as COCO has them: ``size`` (height and
width) and ``counts``, a list of whole numbers, column by column."""

FARTHEST = 2**15
"""Largest coordinate of a vertex; OpenCV's fixed-point numbers end not far above."""


def region_of(segmentation: Any) -> Region:
    """A region as COCO's JSON has it: polygons with their vertices truncated to whole numbers, or
    run lengths, compressed or not.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        if isinstance(counts, str):
            counts = _unpacked(counts)
        if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
            raise ValueError("the runs of a region are not a list of whole numbers")
        return {"size": segmentation.get("size"), "counts": counts}
    if not isinstance(segmentation, list):
        raise ValueError("has no segmentation, which its mask is drawn from")
    return [*map(polygon, segmentation)]


def polygon(numbers: Iterable[float]) -> np.ndarray:
    """Vertices, int32 (n, 2), of the numbers x, y, x, y, ….

    Raises:
        ValueError: they are no such numbers.
    """
    vertices = np.asarray(numbers, np.float64)
    whole = vertices.ndim == 1 and len(vertices) >= 2 and len(vertices) % 2 == 0
    if not whole or not (np.abs(vertices) <= FARTHEST).all():
        raise ValueError("a polygon is not a list of x, y, x, y, …")
    return vertices.astype(np.int32).reshape(-1, 2)


def draw(regions: Iterable[tuple[int, Region]], size: tuple[int, int]) -> np.ndarray:
    """Label map, uint8 (h, w), 0 where there is no region; later regions cover earlier ones.

    Polygons are filled by OpenCV, their outline included.

    Args:
        regions: label and region of each.
        size: height and width.

    Raises:
        ValueError: run lengths do not fit the size.
    """
    mask = np.zeros(size, np.uint8)
    for label, region in regions:
        if isinstance(region, Mapping):
            mask[_decoded(region, size)] = label
        else:
            for vertices in region:
                cv2.fillPoly(mask, [vertices], label)
    return mask


def runs_of(mask: np.ndarray) -> Region:
    """Run lengths of a boolean map (h, w)."""
    flat = mask.ravel("F")
    starts = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    counts = np.diff([0, *starts.tolist(), flat.size]).tolist()
    return {"size": list(mask.shape), "counts": counts}


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Polygons, int32 (n, 2) as x and y of pixels, that together fill a boolean map (h, w).

    Filled with their outline included, by the even-odd rule as OpenCV does, they are the map. A
    hole is joined to what surrounds it by a line that is walked there and back.
    """
    found, levels = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = [ring[:, 0] for ring in found]
    parents = [level[3] for level in levels[0]] if rings else []
    return [
        _without_straight(_joined(ring, [h for h, p in zip(rings, parents, strict=True) if p == k]))
        for k, ring in enumerate(rings)
        if parents[k] < 0
    ]


def _joined(ring: np.ndarray, holes: Sequence[np.ndarray]) -> np.ndarray:
    """A ring that goes to each hole, around it and back, at the nearest pixels of their edges.

    The nearest hole is the first: a line to one behind it would lead over it.
    """
    waiting = [(*_nearest(ring, hole), hole) for hole in holes]
    while waiting:
        first = min(range(len(waiting)), key=lambda k: waiting[k][0])
        _, point, to, hole = waiting.pop(first)
        at = np.flatnonzero((ring == point).all(1))[0]
        around = np.concatenate([hole[to:], hole[: to + 1]])
        ring = np.concatenate([ring[: at + 1], around, ring[at:]])
        waiting = [
            min(one, (*_nearest(hole, one[3]), one[3]), key=lambda found: found[0])
            for one in waiting
        ]
    return ring


def _nearest(ring: np.ndarray, hole: np.ndarray) -> tuple[float, np.ndarray, int]:
    """Distance of the nearest pixels of two edges, that on the ring, and the hole's place."""
    from scipy.spatial import cKDTree  # not above: whoever only reads regions waits for none of it

    distances, places = cKDTree(ring).query(hole)
    to = int(distances.argmin())
    return float(distances[to]), ring[places[to]], to


def _without_straight(ring: np.ndarray) -> np.ndarray:
    """A ring without the pixels where it goes straight on."""
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = (before != after).any(1)
    return ring[turns] if turns.any() else ring[:1]


def _decoded(region: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Boolean (h, w)."""
    counts, pixels = region["counts"], shape[0] * shape[1]
    if region["size"] != list(shape):
        raise ValueError(f"a region of size {region['size']} in an image of {list(shape)}")
    if sum(counts) != pixels:
        raise ValueError(f"the runs of a region add up to {sum(counts)} pixels, not {pixels}")
    return rle.decode(rle.frPyObjects(dict(region), *shape)).astype(bool)


def _unpacked(text: str) -> list[int]:
    """Run lengths of COCO's compressed text: five bits a character, the lowest first, from the
    third run on as the difference to the run before the last. pycocotools does not check them."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        number, shift, more = 0, 0, True
        while more:
            if place == len(text) or shift > 30:
                raise ValueError("the compressed runs of a region end in the middle")
            bits = ord(text[place]) - 48
            if not 0 <= bits < 64:
                raise ValueError("the compressed runs of a region hold a foreign character")
            number |= (bits & 31) << shift
            shift += 5
            more = bool(bits & 32)
            place += 1
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    return runs
