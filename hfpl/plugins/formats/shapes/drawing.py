"""The procedural data set `shapes`: multi-label pictures with pixel masks.

It provokes what class activation maps fail at. Every class has a small, highly discriminative part,
a head with the class's glyph, and a larger, less discriminative body: its weak texture, whose
amplitude sets how much the body tells, is shared with the class's partner, which it often occurs
with. Colours are random per object, so colour never tells the class, yet contours carry colour
edges. The head's two colours lie on both sides of its body's colour. The background has textures
and clutter with edges of their own. Objects overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hfpl.plugins.formats.shapes.textures import (
    CLASS_NAMES,
    FloatArray,
    Patch,
    background,
    blob_outline,
    body_texture,
    colours_along,
    contrasting_colour,
    glyph,
    local_coordinates,
    paint,
    rasterise,
    smooth_noise,
)

__all__ = ["CLASS_NAMES", "Scene", "draw_scene"]

# Lengths in pixels and areas in pixels hold for this size; see `_Settings`.
_NOMINAL_SIZE = 96
_MIN_SIZE = 32
_MIN_VISIBLE_AREA = 40

_OBJECT_COUNT_SHARES = (0.03, 0.42, 0.37, 0.18)
_SHRINK_OF_COUNT = (1.0, 1.0, 0.85, 0.7)
_PARTNER_SHARE = 0.45

_OBJECT_CONTRAST = 0.22
# Leaves room on both sides of the body's colour for the head's two colours.
_OBJECT_CHANNELS = (0.24, 0.76)
_HEAD_CONTRAST = (0.2, 0.3)
_TEXTURE_PERIOD = (5.0, 7.5)
_SHADE_AMPLITUDE = 0.05
_MAX_TILT = 0.3

_PLACEMENTS = 20
_MAX_HIDDEN = 0.35
_HEAD_ANGLES = 12
_HEAD_FITS = 0.9
_PIXEL_NOISE = 0.035


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture of the data set.

    image: (n, n, 3) uint8 RGB.
    mask: (n, n) uint8, 0 for the background and k + 1 for class k.
    heads: as mask, but 0 outside of the objects' heads.
    classes: sorted indices, from 0, of the classes in the mask.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    heads: NDArray[np.uint8]
    classes: tuple[int, ...]


class _Settings(NamedTuple):
    size: int
    num_classes: int
    min_extent: float
    max_extent: float
    texture_amplitude: float
    head_fraction: float

    @property
    def pixel_scale(self) -> float:
        """Factor on pixel lengths. Below the nominal size textures keep their period, for they
        would alias, and a network meets the same texture in pictures of several sizes."""
        return max(1.0, self.size / _NOMINAL_SIZE)


class _Body(NamedTuple):
    centre: tuple[float, float]
    radius: float
    angle: float
    outline: NDArray[np.float64]
    patch: Patch


class _Owners(NamedTuple):
    """Which object (from 1; 0 for none) is on top at each pixel, and which head; both (n, n)."""

    bodies: NDArray[np.uint8]
    heads: NDArray[np.uint8]


def draw_scene(
    seed: int,
    index: int,
    *,
    size: int,
    num_classes: int,
    min_extent: float = 0.6,
    max_extent: float = 1.0,
    texture_amplitude: float = 0.08,
    head_fraction: float = 0.42,
    single_object: bool = False,
) -> Scene:
    """Draw picture number `index` of the data set `seed`; a function of its arguments alone.

    Args:
        seed, index: non-negative integers.
        size: side of the picture in pixels, at least 32.
        num_classes: 2 to 6; class k is CLASS_NAMES[k].
        min_extent, max_extent: range of a lone object's diameter as a share of the side; where
            there are two objects it is multiplied by 0.85, where there are three by 0.7.
        texture_amplitude: mean amplitude of the body's texture, for colours in [0, 1].
        head_fraction: mean radius of the head as a share of the body's.
        single_object: exactly one object (pictures to pre-train a classifier on) instead of 0 to 3.

    Raises:
        ValueError: where an argument is out of its range.
    """
    settings = _Settings(
        size, num_classes, min_extent, max_extent, texture_amplitude, head_fraction
    )
    _check(seed, index, settings)
    rng = np.random.default_rng([seed, index])
    image = background(rng, size, settings.pixel_scale)
    objects = _choose_classes(rng, num_classes, single_object)
    owners = _Owners(np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8))
    for number, class_index in enumerate(objects, start=1):
        body = _place(rng, settings, owners, number, _SHRINK_OF_COUNT[len(objects)])
        if body is not None:
            _draw_object(rng, settings, image, owners, body, number, class_index)
    image += np.float32(_PIXEL_NOISE) * rng.uniform(-1, 1, image.shape).astype(np.float32)
    mask, present = _class_mask(owners.bodies, objects)
    heads = np.where(owners.heads > 0, mask, 0).astype(np.uint8)
    return Scene(_to_bytes(image), mask, heads, present)


def _check(seed: int, index: int, settings: _Settings) -> None:
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, are {seed} and {index}")
    if settings.size < _MIN_SIZE:
        raise ValueError(f"size must be at least {_MIN_SIZE}, is {settings.size}")
    if not 2 <= settings.num_classes <= len(CLASS_NAMES):
        raise ValueError(f"num_classes must be 2 to {len(CLASS_NAMES)}, is {settings.num_classes}")
    if not 0.2 <= settings.min_extent <= settings.max_extent <= 1.2:
        raise ValueError(
            "0.2 <= min_extent <= max_extent <= 1.2 must hold, the extents are "
            f"{settings.min_extent} and {settings.max_extent}"
        )
    if not 0 <= settings.texture_amplitude <= 0.5:
        raise ValueError(f"texture_amplitude must be 0 to 0.5, is {settings.texture_amplitude}")
    if not 0.1 <= settings.head_fraction <= 0.8:
        raise ValueError(f"head_fraction must be 0.1 to 0.8, is {settings.head_fraction}")


def _choose_classes(rng: np.random.Generator, num_classes: int, single: bool) -> list[int]:
    """Class of each object, from the bottom to the top of the pile."""
    count = 1 if single else int(rng.choice(len(_OBJECT_COUNT_SHARES), p=_OBJECT_COUNT_SHARES))
    classes = [int(k) for k in rng.integers(num_classes, size=count)]
    for position in range(1, count):
        if rng.random() < _PARTNER_SHARE:
            partner = classes[0] ^ 1
            # With an odd number of classes the last one has no partner of its own.
            classes[position] = partner if partner < num_classes else classes[0] - 1
    # Shuffled, so that the first class and its partner are on top equally often.
    return [classes[position] for position in rng.permutation(count)]


def _place(
    rng: np.random.Generator, settings: _Settings, owners: _Owners, number: int, shrink: float
) -> _Body | None:
    """A random body that hides no earlier body nor head too far; None where none was found."""
    size = settings.size
    limits = [_MAX_HIDDEN * _areas(owner) for owner in owners]
    for _ in range(_PLACEMENTS):
        extent = rng.uniform(settings.min_extent, settings.max_extent) * shrink
        radius = 0.5 * size * extent
        margin = min(0.6 * radius, 0.5 * size)
        centre = (rng.uniform(margin, size - margin), rng.uniform(margin, size - margin))
        angle = rng.uniform(-_MAX_TILT, _MAX_TILT)
        aspect = float(np.exp(rng.uniform(-0.3, 0.3)))
        outline = blob_outline(
            rng, centre, radius, harmonics=4, roughness=0.32, aspect=aspect, angle=angle
        )
        if number == 1 or _leaves_others_visible(outline, owners, limits):
            patch = rasterise(outline, size)
            return None if patch is None else _Body(centre, radius, angle, outline, patch)
    return None


def _areas(owner: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Number of pixels of each object from 0 to 3."""
    return np.array([np.count_nonzero(owner == number) for number in range(4)])


def _leaves_others_visible(
    outline: NDArray[np.float64], owners: _Owners, limits: list[NDArray[np.float64]]
) -> bool:
    """Whether a body of this outline hides of each earlier body and head no more than its limit."""
    patch = rasterise(outline, owners.bodies.shape[0], supersampling=1)
    if patch is None:
        return False
    top = patch.coverage > 0
    for owner, limit in zip(owners, limits, strict=True):
        if (_areas(owner[patch.window] * top)[1:] > limit[1:]).any():
            return False
    return True


def _draw_object(
    rng: np.random.Generator,
    settings: _Settings,
    image: FloatArray,
    owners: _Owners,
    body: _Body,
    number: int,
    class_index: int,
) -> None:
    """Paint a body and its head into the image, and enter them as object `number`; in place."""
    patch = body.patch
    window, coverage = patch
    around = colours_along(image, body.outline)
    colour = contrasting_colour(rng, around, _OBJECT_CONTRAST, _OBJECT_CHANNELS)
    u, v = local_coordinates(window, body.centre, body.angle)
    period = rng.uniform(*_TEXTURE_PERIOD) * settings.pixel_scale
    shift = rng.uniform(0, period, 2).astype(np.float32)
    amplitude = np.float32(settings.texture_amplitude * rng.uniform(0.8, 1.2))
    tone = amplitude * body_texture(class_index, u + shift[0], v + shift[1], period)
    tone += np.float32(_SHADE_AMPLITUDE) * smooth_noise(rng, settings.size, 3, 1)[0][window]
    paint(image, patch, colour + tone)

    head_radius = settings.head_fraction * body.radius * rng.uniform(0.85, 1.1)
    head_u, head_v = _head_centre(rng, body, head_radius)
    u, v = u - head_u, v - head_v
    disc = np.clip(np.float32(head_radius + 0.5) - np.sqrt(u * u + v * v), 0, 1)
    signs = 2 * rng.integers(2, size=(3, 1, 1)) - 1
    offset = (signs * rng.uniform(*_HEAD_CONTRAST, (3, 1, 1))).astype(np.float32)
    marks = glyph(class_index, u, v, head_radius)
    paint(image, Patch(window, disc * coverage), colour + marks * offset)

    top = coverage > 0.5
    owners.bodies[window][top] = number
    owners.heads[window][top] = np.where(disc > 0.5, number, 0)[top]


def _head_centre(rng: np.random.Generator, body: _Body, radius: float) -> tuple[float, float]:
    """Centre of the head in the body's frame, off the body's middle.

    Of random directions the first where 90 % of the head lie within body and picture, else the
    one where most of it does.
    """
    turn = rng.uniform(0, 2 * np.pi, _HEAD_ANGLES)
    centres = 0.5 * body.radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    # Two rings and the middle stand for the disc.
    spokes = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    rim = np.stack([np.cos(spokes), np.sin(spokes)], axis=1)
    disc = radius * np.concatenate([np.zeros((1, 2)), 0.55 * rim, 0.95 * rim])
    points = centres[:, None] + disc
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    rows, columns = body.patch.window
    x = body.centre[0] + cos * points[..., 0] - sin * points[..., 1] - columns.start
    y = body.centre[1] + sin * points[..., 0] + cos * points[..., 1] - rows.start
    height, width = body.patch.coverage.shape
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    within = (i >= 0) & (i < height) & (j >= 0) & (j < width)
    covered = body.patch.coverage[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)] > 0.5
    share = (within & covered).mean(1)
    fits = np.flatnonzero(share >= _HEAD_FITS)
    best = fits[0] if fits.size else share.argmax()
    return float(centres[best, 0]), float(centres[best, 1])


def _class_mask(
    bodies: NDArray[np.uint8], objects: list[int]
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Mask (n, n) of classes from one of object numbers, without classes of which little shows.

    Returns the mask and the sorted indices of the classes in it.
    """
    values = np.array([0, *(k + 1 for k in objects)], np.uint8)
    mask = values[bodies]
    least = _MIN_VISIBLE_AREA * mask.size / _NOMINAL_SIZE**2
    present = []
    for k in sorted(set(objects)):
        inside = mask == k + 1
        if np.count_nonzero(inside) >= least:
            present.append(k)
        else:
            mask[inside] = 0
    return mask, tuple(present)


def _to_bytes(image: FloatArray) -> NDArray[np.uint8]:
    """Picture (3, n, n) in [0, 1], clipped, as bytes (n, n, 3)."""
    scaled = np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(1, 2, 0))
