"""COCO's instances: read from the annotation files, drawn into label maps."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hfpl.images.regions import FARTHEST, Region, draw, region_of

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
    instances: list[tuple[int, Region]] = field(default_factory=list)


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
            return image_id, int(entry["category_id"]), region_of(entry.get("segmentation"))
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
    drawn = ((labels[category], region) for category, region in image.instances)
    return draw(drawn, (image.height, image.width))


def _malformed(name: str, error: Exception) -> ValueError:
    return ValueError(f"{name}: not an annotation file of COCO: {_reason(error)}")


def _reason(error: Exception) -> str:
    return f"{error}" if type(error) is ValueError else f"{type(error).__name__} {error}"


def _side(pixels: int) -> int:
    if not 1 <= int(pixels) <= FARTHEST:
        raise ValueError(f"an image has a side of {pixels} pixels")
    return int(pixels)
