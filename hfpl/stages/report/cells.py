"""Cells of a contact sheet: pictures of any size, brought to the size of a cell."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib import colormaps
from PIL import Image

from hfpl.images.palette import IGNORE, voc_palette

_HEAT = (np.array(colormaps["inferno"].colors) * 255).round().astype(np.float32)
_LEAST_HEAT, _MOST_HEAT = 0.15, 0.75
"""Share of the heat's colour in the picture at score 0 and at score 1; the rest is the image."""
_FADED = (165.0, 0.28)
"""A faded image's grey at black, and its growth per grey level: pale, yet darker than white."""

_LEAST_NAMED = 0.02
"""Share of a label map from which on a label has its name on it."""


def fit(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The largest (height, width) of the same shape as ``size`` in ``box``; at least 1 x 1."""
    scale = min(box[0] / size[0], box[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def tiling(size: tuple[int, int], count: int, box: tuple[int, int], gap: int) -> tuple[int, int]:
    """Rows and columns of ``count`` equal pictures in a box that show them as large as possible.

    Args:
        size: height and width of each picture.
        count: number of pictures, at least 1.
        box: height and width of the box.
        gap: pixels between two pictures.
    """

    def area(grid: tuple[int, int]) -> tuple[int, int]:
        height, width = fit(size, tile_box(box, grid, gap))
        return height * width, -grid[0]

    return max(((math.ceil(count / c), c) for c in range(1, count + 1)), key=area)


def tile_box(box: tuple[int, int], grid: tuple[int, int], gap: int) -> tuple[int, int]:
    """Height and width of one tile of a grid (rows, columns) in a box; at least 1 x 1."""
    height, width = ((length - gap * (n - 1)) // n for length, n in zip(box, grid, strict=True))
    return max(1, height), max(1, width)


def image_cell(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """An image, uint8 (h, w, 3), resized to (height, width), antialiased."""
    return Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.LANCZOS)


def label_cell(image: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A label map in the palette's colours over the faded image, at (height, width).

    Several of the palette's colours can hardly be told from its black background, so the
    background shows the image, faded. Enlarged, a pixel is a square; shrunk, colours mix where
    labels meet.

    Args:
        image: uint8 (h, w, 3).
        mask: label map, uint8 (h, w).
    """
    grey = np.asarray(image_cell(image, size).convert("L"), np.float32)
    faded = Image.fromarray(np.rint(_FADED[0] + _FADED[1] * grey).astype(np.uint8)).convert("RGB")
    opaque = np.where(mask > 0, 255, 0).astype(np.uint8)
    colours = Image.fromarray(np.dstack([label_colours()[mask], opaque]), "RGBA")
    colours = colours.resize((size[1], size[0]), Image.Resampling.BOX)
    faded.paste(colours, mask=colours.getchannel("A"))
    return faded


def label_places(mask: np.ndarray) -> dict[int, tuple[float, float]]:
    """Where the name of each label can stand: the place in it that is furthest from all others.

    Args:
        mask: label map, uint8 (h, w).

    Returns:
        Label → (y, x) as shares of the sides. Background, pixels that are not scored and labels of
        less than a fiftieth of the map have none.
    """
    found = {}
    for label in sorted(labels_in([mask]) - {0, IGNORE}):
        here = mask == label
        if here.mean() < _LEAST_NAMED:
            continue
        depth = cv2.distanceTransform(np.pad(here, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        found[label] = ((y + 0.5) / mask.shape[0], (x + 0.5) / mask.shape[1])
    return found


def label_colours() -> np.ndarray:
    """Colour of each label on a sheet, uint8 (256, 3): the palette's but for 0 and 255."""
    colours = voc_palette()
    colours[0] = round(_FADED[0] + _FADED[1] * 128)
    colours[IGNORE] = 255
    return colours


def heat_cell(image: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Scores, float32 (h, w) in [0, 1], as heat over the greyed image, at (height, width)."""
    grey = np.asarray(image_cell(image, size).convert("L"), np.float32)
    small = size[0] < scores.shape[0]
    how = cv2.INTER_AREA if small else cv2.INTER_LINEAR
    resized = cv2.resize(scores, (size[1], size[0]), interpolation=how)
    return Image.fromarray(heat(grey, resized))


def heat(grey: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Colours of scores over a grey picture.

    Args:
        grey: float32 (h, w) in [0, 255].
        scores: float32 (h, w) in [0, 1].

    Returns:
        uint8 (h, w, 3).
    """
    scores = np.clip(scores, 0, 1)
    share = (_LEAST_HEAT + (_MOST_HEAT - _LEAST_HEAT) * scores)[..., None]
    colours = _HEAT[np.rint(scores * 255).astype(np.intp)]
    return np.rint(share * colours + (1 - share) * grey[..., None]).astype(np.uint8)


def labels_in(masks: Sequence[np.ndarray | None]) -> set[int]:
    """Labels that occur in any of the label maps."""
    return {int(label) for mask in masks if mask is not None for label in np.unique(mask)}
