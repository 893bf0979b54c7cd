"""COCO's instances: read from the annotation files, drawn into label maps."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

Segmentation = Sequence[np.ndarray] | Mapping[str, Any]
"""Polygons, int32 (n, 2) as x and y each, or a run-length encoded region as in the JSON."""

_FARTHEST = 2**15
"""Largest coordinate of a vertex; OpenCV's fixed-point numbers end not far above."""
_MALFORMED = (KeyError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True)
class CocoImage:
    """An image: size in pixels, and its instances in the order of the annotations.

    Attributes:
        height, width: of the image.
        instances: category id and region of each.
    """

    height: int
    width: int
    instances: list[tuple[int, Segmentation]] = field(default_factory=list)


def read_image_ids(text: bytes, name: str) -> set[int]:
    """Ids of the images of an annotation file; ``name`` stands in errors.

    Raises:
        ValueError: not COCO's JSON.
    """

    def compact(entry: dict) -> Any:
        # Hundreds of megabytes of polygons are dropped while they are parsed.
        return None if "segmentation" in entry else entry

    try:
        return {int(image["id"]) for image in json.loads(text, object_hook=compact)["images"]}
    except _MALFORMED as error:
        raise _malformed(name, error) from None


def read_instances(
    text: bytes, name: str, wanted: set[int]
) -> tuple[dict[int, str], dict[int, CocoImage]]:
    """Categories (id → name) and the wanted images (id → image) of an annotation file.

    Raises:
        ValueError: not COCO's JSON, or an instance that cannot be; the message opens with ``name``.
    """

    def compact(entry: dict) -> Any:
        # Whole vertices take a tenth of the memory of parsed JSON.
        if "image_id" not in entry:
            return entry
        try:
            image_id = int(entry["image_id"])
            if image_id not in wanted:
                return None
            return image_id, int(entry["category_id"]), _region(entry.get("segmentation"))
        except _MALFORMED as error:
            raise ValueError(
                f"annotation {entry.get('id')} of image {entry['image_id']}: {_reason(error)}"
            ) from None

    try:
        content = json.loads(text, object_hook=compact)
        categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
        images = {
            int(i["id"]): CocoImage(_side(i["height"]), _side(i["width"]))
            for i in content["images"]
            if i["id"] in wanted
        }
        for image_id, category, region in filter(None, content["annotations"]):
            if category not in categories:
                raise ValueError(f"image {image_id} has an object of unknown category {category}")
            images[image_id].instances.append((category, region))
    except _MALFORMED as error:
        raise _malformed(name, error) from None
    return categories, images


def draw_mask(image: CocoImage, labels: Mapping[int, int]) -> np.ndarray:
    """Label map, uint8 (h, w), 0 where there is no instance; later instances cover earlier ones.

    Polygons are filled by OpenCV, their outline included; crowd regions count like any other.

    Args:
        image: the instances.
        labels: category id → label.

    Raises:
        ValueError: a run-length encoding does not fit the image.
    """
    mask = np.zeros((image.height, image.width), np.uint8)
    for category, region in image.instances:
        if isinstance(region, Mapping):
            mask[_decode(region, mask.shape)] = labels[category]
        else:
            for polygon in region:
                cv2.fillPoly(mask, [polygon], labels[category])
    return mask


def _malformed(name: str, error: Exception) -> ValueError:
    return ValueError(f"{name}: not an annotation file of COCO: {_reason(error)}")


def _reason(error: Exception) -> str:
    return f"{error}" if type(error) is ValueError else f"{type(error).__name__} {error}"


def _side(pixels: int) -> int:
    if not 1 <= int(pixels) <= _FARTHEST:
        raise ValueError(f"an image has a side of {pixels} pixels")
    return int(pixels)


def _region(segmentation: Any) -> Segmentation:
    """Polygons with their vertices truncated to whole numbers, or the encoding as it is."""
    if isinstance(segmentation, dict):
        _check_runs(segmentation.get("counts"))
        return segmentation
    if not isinstance(segmentation, list):
        raise ValueError("has no segmentation, which its mask is drawn from")
    return [*map(_polygon, segmentation)]


def _check_runs(counts: Any) -> None:
    # Compressed runs, which the published files have none of, are not checked by pycocotools.
    if isinstance(counts, str | bytes):
        raise ValueError("the runs of a region are compressed; write them as a list of numbers")
    if not isinstance(counts, list) or not all(type(n) is int and n >= 0 for n in counts):
        raise ValueError("the runs of a region are not a list of whole numbers")


def _polygon(numbers: Iterable[float]) -> np.ndarray:
    vertices = np.asarray(numbers, np.float64)
    whole = vertices.ndim == 1 and len(vertices) >= 2 and len(vertices) % 2 == 0
    if not whole or not (np.abs(vertices) <= _FARTHEST).all():
        raise ValueError("a polygon is not a list of x, y, x, y, …")
    return vertices.astype(np.int32).reshape(-1, 2)


def _decode(region: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """Boolean (h, w)."""
    counts, pixels = region.get("counts"), shape[0] * shape[1]
    if region.get("size") != list(shape):
        raise ValueError(f"a region of size {region.get('size')} in an image of {list(shape)}")
    _check_runs(counts)
    if sum(counts) != pixels:
        raise ValueError(f"the runs of a region add up to {sum(counts)} pixels, not {pixels}")
    return rle.decode(rle.frPyObjects(dict(region), *shape)).astype(bool)
