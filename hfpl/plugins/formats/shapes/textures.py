"""Outlines, coverage, noise, class glyphs and class textures of the `shapes` data set.

Coordinates are in pixels with x to the right and y down; pixel (row i, column j) covers the square
[j, j + 1) x [i, i + 1). Pictures are float RGB in [0, 1], channels first, because numpy works along
long rows far faster than along three channels. The contrast of two colours is the mean absolute
difference of their channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_OUTLINE_POINTS = 48
_COLOUR_CANDIDATES = 24
# Share of an outline at which a chosen colour may fall short of the asked contrast.
_COLOUR_SLACK = 0.1
_SUBPIXEL_BITS = 6

_CLUTTER_COUNT = (3, 7)
_CLUTTER_RADIUS = (0.06, 0.22)
_CLUTTER_CONTRAST = (0.06, 0.22)
_CLUTTER_CHANNELS = (0.12, 0.88)
_MOTTLE_AMPLITUDE = 0.08


class Patch(NamedTuple):
    """A shape drawn within its bounding box: `window` cuts the box out of the picture."""

    window: tuple[slice, slice]
    coverage: FloatArray  # (h, w), share of each pixel that the shape covers, in [0, 1]


def smooth_noise(rng: np.random.Generator, size: int, cells: int, channels: int) -> FloatArray:
    """Noise of `cells` x `cells` independent values, enlarged by cubic interpolation.

    Returns (channels, size, size), mostly within [-1, 1] (the interpolation overshoots a little).
    """
    grid = rng.uniform(-1, 1, (channels, cells, cells)).astype(np.float32)
    # Enlarging the unit vectors gives the interpolation's weights; two products with them are
    # several times faster than OpenCV's cubic enlargement of a tiny grid.
    unit_vectors = np.eye(cells, dtype=np.float32)
    weights = cv2.resize(unit_vectors, (cells, size), interpolation=cv2.INTER_CUBIC)
    return weights @ grid @ weights.T


def blob_outline(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    *,
    harmonics: int,
    roughness: float,
    aspect: float,
    angle: float,
) -> NDArray[np.float64]:
    """Outline of a random blob about `centre` (x, y): a circle, its radius modulated by cosines.

    `aspect` stretches it along the direction `angle` (radians) and squeezes it across.
    Returns points (48, 2) as x, y in pixels.
    """
    turn = np.arange(_OUTLINE_POINTS) * (2 * np.pi / _OUTLINE_POINTS)
    order = np.arange(2, 2 + harmonics)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (harmonics, 1))
    reach = radius * (1 + roughness * (np.cos(order * turn + phase) / order).sum(0))
    return _stretched(centre, reach, turn, aspect, angle)


def polygon_outline(
    rng: np.random.Generator, centre: tuple[float, float], radius: float, aspect: float
) -> NDArray[np.float64]:
    """Outline of a random triangle, quadrangle or pentagon about `centre`, as points (m, 2)."""
    corners = int(rng.integers(3, 6))
    turn = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    return _stretched(centre, radius, turn, aspect, rng.uniform(0, 2 * np.pi))


def _stretched(
    centre: tuple[float, float],
    reach: NDArray[np.float64] | float,
    turn: NDArray[np.float64],
    aspect: float,
    angle: float,
) -> NDArray[np.float64]:
    """Points (m, 2) at distance `reach` and direction `turn`, stretched and turned by `angle`."""
    along, across = reach * np.cos(turn) * aspect, reach * np.sin(turn) / aspect
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.empty((turn.size, 2))
    points[:, 0] = centre[0] + cos * along - sin * across
    points[:, 1] = centre[1] + sin * along + cos * across
    return points


def rasterise(outline: NDArray[np.float64], size: int, supersampling: int = 3) -> Patch | None:
    """Anti-aliased filling of a closed outline (m, 2) on a picture of `size` x `size` pixels.

    With `supersampling` 1 the coverage is 0 or 1. Returns None where the outline's bounding box
    misses the picture.
    """
    left, top = np.clip(np.floor(outline.min(0)), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(outline.max(0)), 0, size).astype(int).tolist()
    height, width = bottom - top, right - left
    if height <= 0 or width <= 0:
        return None
    canvas = np.zeros((height * supersampling, width * supersampling), np.uint8)
    # OpenCV puts a pixel's centre, not its corner, on the integer coordinate: hence the half.
    points = (outline - (left, top)) * supersampling - 0.5
    fixed_point = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(canvas, [fixed_point], 255, shift=_SUBPIXEL_BITS)
    if supersampling > 1:
        canvas = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    window = (slice(top, bottom), slice(left, right))
    return Patch(window, canvas.astype(np.float32) / np.float32(255))


def local_coordinates(
    window: tuple[slice, slice], centre: tuple[float, float], angle: float
) -> tuple[FloatArray, FloatArray]:
    """Pixel centres of a window in a frame turned by `angle` (radians) about `centre` (x, y).

    Returns u (along) and v (across), each (h, w) in pixels.
    """
    rows, columns = window
    x = np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5 - centre[0])
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + np.float32(0.5 - centre[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def paint(image: FloatArray, patch: Patch, colour: FloatArray) -> None:
    """Blend `colour` into image (3, n, n) in place, weighted by the coverage.

    `colour` is (3, h, w), or (3, 1, 1) for one colour.
    """
    below = image[:, *patch.window]
    change = colour - below
    change *= patch.coverage
    below += change


def colours_along(image: FloatArray, outline: NDArray[np.float64]) -> FloatArray:
    """Colours (3, m) of the image (3, n, n) at the points of an outline that lie within it.

    Where no point does, the image's mean colour, as (3, 1).
    """
    size = image.shape[-1]
    columns, rows = np.floor(outline).astype(int).T
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    if not inside.any():
        return image.mean((1, 2))[:, None]
    return image[:, rows[inside], columns[inside]]


def contrasting_colour(
    rng: np.random.Generator,
    surroundings: FloatArray,
    contrast: float,
    channel_range: tuple[float, float],
) -> FloatArray:
    """Random colour that differs by `contrast` from 90 % of the surrounding colours (3, m).

    Its channels lie in `channel_range`. Where no candidate has the contrast, the one that comes
    nearest to it. Returns (3, 1, 1).
    """
    candidates = rng.uniform(*channel_range, (3, _COLOUR_CANDIDATES, 1)).astype(np.float32)
    differences = np.abs(candidates - surroundings[:, None]).mean(0)
    rank = int(_COLOUR_SLACK * surroundings.shape[1])
    lowest = np.partition(differences, rank, axis=1)[:, rank]
    enough = np.flatnonzero(lowest >= contrast)
    best = enough[0] if enough.size else lowest.argmax()
    return candidates[:, best, :, None]


def background(rng: np.random.Generator, size: int, pixel_scale: float) -> FloatArray:
    """Background (3, size, size): slow colour changes, hard-edged mottles, clutter and grain.

    `pixel_scale` is a factor on the grain's cells, which are 3 and 6 pixels wide at 1.
    """
    base = rng.uniform(0.2, 0.8, (3, 1, 1)).astype(np.float32)
    image = base + np.float32(0.12) * smooth_noise(rng, size, 4, 3)
    mottles = smooth_noise(rng, size, int(rng.integers(5, 10)), 1)
    tint = rng.uniform(-_MOTTLE_AMPLITUDE, _MOTTLE_AMPLITUDE, (3, 1, 1)).astype(np.float32)
    image += np.clip(8 * mottles, -1, 1) * tint
    for _ in range(rng.integers(*_CLUTTER_COUNT)):
        centre = (rng.uniform(0, size), rng.uniform(0, size))
        radius = size * rng.uniform(*_CLUTTER_RADIUS)
        aspect = float(np.exp(rng.uniform(-0.6, 0.6)))
        if rng.random() < 0.6:
            angle = rng.uniform(0, np.pi)
            outline = blob_outline(
                rng, centre, radius, harmonics=3, roughness=0.5, aspect=aspect, angle=angle
            )
        else:
            outline = polygon_outline(rng, centre, radius, aspect)
        contrast = rng.uniform(*_CLUTTER_CONTRAST)
        around = colours_along(image, outline)
        colour = contrasting_colour(rng, around, contrast, _CLUTTER_CHANNELS)
        patch = rasterise(outline, size)
        if patch is not None:
            paint(image, patch, colour)
    grain = np.float32(0.05) * smooth_noise(rng, size, round(size / (3 * pixel_scale)), 1)
    grain += np.float32(0.025) * smooth_noise(rng, size, round(size / (6 * pixel_scale)), 1)
    image += grain
    return image


def _fraction(x: FloatArray) -> FloatArray:
    # Same as x % 1, which numpy computes many times slower.
    return x - np.floor(x)


def _triangle_wave(x: FloatArray) -> FloatArray:
    """Triangle wave of period 1 and slope 4, in [-1, 1], rising through 0 at x = 0."""
    return 1 - 4 * np.abs(_fraction(x + np.float32(0.25)) - np.float32(0.5))


# Each glyph is a field over u, v in units of the head's radius: its zero line is the edge between
# the head's two colours and its slope there is about 1, so that the edge can be anti-aliased.


def _plus(u: FloatArray, v: FloatArray) -> FloatArray:
    return 0.25 - np.minimum(np.abs(u), np.abs(v))


def _cross(u: FloatArray, v: FloatArray) -> FloatArray:
    return 0.24 - np.minimum(np.abs(u - v), np.abs(u + v)) / np.float32(np.sqrt(2))


def _rings(u: FloatArray, v: FloatArray) -> FloatArray:
    return _triangle_wave(2.2 * np.sqrt(u * u + v * v)) / (4 * 2.2)


def _quarters(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.sign(u * v) * np.minimum(np.abs(u), np.abs(v))


def _halves(u: FloatArray, v: FloatArray) -> FloatArray:
    return v


def _bars(u: FloatArray, v: FloatArray) -> FloatArray:
    return _triangle_wave(1.6 * u + 0.25) / (4 * 1.6)


# Body textures take u, v in units of the texture's period and lie in [-1, 1]. The factor before
# each clip sets how hard the edges are.


def _stripes(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.sin(2 * np.pi * u)


def _checks(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.clip(4 * np.sin(1.6 * np.pi * u) * np.sin(1.6 * np.pi * v), -1, 1)


def _circles(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.sin(1.8 * np.pi * np.sqrt(u * u + v * v))


_Field = Callable[[FloatArray, FloatArray], FloatArray]
_GLYPHS: dict[str, _Field] = {
    "plus": _plus,
    "cross": _cross,
    "rings": _rings,
    "quarters": _quarters,
    "halves": _halves,
    "bars": _bars,
}
_TEXTURES_OF_PAIRS: tuple[_Field, ...] = (_stripes, _checks, _circles)
CLASS_NAMES: tuple[str, ...] = tuple(_GLYPHS)


def glyph(class_index: int, u: FloatArray, v: FloatArray, radius: float) -> FloatArray:
    """Head glyph of a class at u, v (h, w; pixels from the head's centre), for a head of `radius`.

    Returns (h, w) in [-1, 1]: 1 for the head's first colour, -1 for its second, between them over
    one pixel at the edges.
    """
    field = _GLYPHS[CLASS_NAMES[class_index]](u / np.float32(radius), v / np.float32(radius))
    return np.clip(2 * np.float32(radius) * field, -1, 1)


def body_texture(class_index: int, u: FloatArray, v: FloatArray, period: float) -> FloatArray:
    """Body texture of a class at u, v (h, w; pixels) with `period` in pixels, in [-1, 1].

    The classes 0 and 1, 2 and 3, 4 and 5 are partners and share theirs.
    """
    texture = _TEXTURES_OF_PAIRS[class_index // 2]
    return texture(u / np.float32(period), v / np.float32(period))
