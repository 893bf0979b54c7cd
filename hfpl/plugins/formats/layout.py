"""PASCAL VOC 2012's layout: lists, annotations, images and masks below one root."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

import numpy as np

from hfpl.images.palette import IGNORE
from hfpl.plugins.formats.class_names import class_lines, clean
from hfpl.plugins.formats.xml import kind, parse_xml
from hfpl.storage.reading import ImageRoot

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""VOC's foreground classes in the order of their labels 1 to 20."""

IMAGES, MASKS, ANNOTATIONS = "JPEGImages", "SegmentationClass", "Annotations"
LISTS = "ImageSets/Segmentation"
CLASS_FILE = "classes.txt"


def read_classes(root: ImageRoot) -> tuple[str, ...]:
    """Foreground classes in the order of their labels: ``classes.txt``, else VOC's twenty.

    Raises:
        ValueError: as :func:`hfpl.plugins.formats.class_names.class_lines`.
    """
    if not root.exists(CLASS_FILE):
        return VOC_CLASSES
    return class_lines(root.read(CLASS_FILE), f"{root.root}/{CLASS_FILE}")


def read_list(root: ImageRoot, name: str) -> list[str]:
    """Image ids of a list, sorted.

    A line is an image's name, which may hold spaces; as in VOC's lists of one class, with 1, 0 or
    -1 behind it; or the path of an image, or of an image and of its mask, as PSA and SEAM have
    them.

    Args:
        name: of the list, without ``.txt``: UTF-8, or UTF-16 with its mark.

    Raises:
        ValueError: the list is missing, no text, or names an image twice.
    """
    file = f"{LISTS}/{name}.txt"
    content = root.read(file)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        lines = content.decode("utf-16" if wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{root.root}/{file}: not UTF-8; save it as UTF-8") from None
    ids = [_listed(line.strip()) for line in lines if line.strip()]
    repeated = next((i for i, count in Counter(ids).items() if count > 1), None)
    if repeated:
        raise ValueError(f"{root.root}/{file}: '{repeated}' is listed twice")
    return sorted(ids)


def _listed(line: str) -> str:
    """Name of the image that a line of a list is about."""
    line = re.sub(r"\s+-?[01]$", "", line)
    if pair := re.fullmatch(r"(\S.*?\.jpe?g)\s+\S.*\.png", line, re.IGNORECASE):
        line = pair[1]
    if re.search(r"\.jpe?g$", line, re.IGNORECASE):
        line = PurePosixPath(line).stem
    return unicodedata.normalize("NFC", line)


def read_tags(root: ImageRoot, image_id: str, classes: Sequence[str]) -> tuple[int, ...]:
    """Image-level label: the classes of every object of the annotation, ascending from 0.

    Objects count wherever they stand in the file, in any name space and in any capitals.

    Raises:
        ValueError: the annotation is missing, not XML or none of VOC's kind, or names an unknown
            class.
    """
    file = f"{ANNOTATIONS}/{image_id}.xml"
    content = root.read(file)
    try:
        tree = parse_xml(content)
    except ValueError as error:
        raise ValueError(f"{root.root}/{file}: {error}") from None
    tags = set()
    objects = list(_objects(tree))
    if not objects and kind(tree) != "annotation":
        raise ValueError(
            f"{root.root}/{file}: <{kind(tree)}> holds no <object>; expected an <annotation>"
        )
    for element in objects:
        names = [part.text or "" for part in element if kind(part) == "name"]
        name = clean(names[0]) if names else ""
        if name not in classes:
            raise ValueError(
                f"{root.root}/{file}: unknown class '{name}'; known: {', '.join(classes)}"
            )
        tags.add(classes.index(name))
    return tuple(sorted(tags))


def _objects(element: Element) -> Iterator[Element]:
    """Objects below an element, without what their parts hold."""
    for child in element:
        if kind(child) == "object":
            yield child
        elif kind(child) != "part":
            yield from _objects(child)


def annotation_xml(
    image_id: str, size: tuple[int, int], objects: Sequence[tuple[str, int, int, int, int]]
) -> str:
    """VOC's XML of an image: objects as (class name, xmin, ymin, xmax, ymax), 1-based."""
    boxes = "".join(
        f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<difficult>0</difficult>\n"
        f"\t\t<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox>\n\t</object>\n"
        for name, x0, y0, x1, y1 in objects
    )
    return (
        f"<annotation>\n\t<filename>{escape(image_id)}.jpg</filename>\n\t<size><width>{size[1]}"
        f"</width><height>{size[0]}</height><depth>3</depth></size>\n\t<segmented>1</segmented>\n"
        f"{boxes}</annotation>\n"
    )


def class_boxes(mask: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Bounding box of each class in a mask (h, w) of 0 background, k + 1 class k, 255 void.

    Returns (class index from 0, xmin, ymin, xmax, ymax) per class, sorted by class; the box is
    1-based and inclusive, as in the VOC annotations.

    Raises:
        ValueError: where the mask is not two-dimensional.
    """
    if mask.ndim != 2:
        raise ValueError(f"mask must have 2 dimensions, has {mask.ndim}")
    boxes = []
    for value in np.unique(mask).tolist():
        if value in (0, IGNORE):
            continue
        inside = mask == value
        columns = np.flatnonzero(inside.any(0))
        rows = np.flatnonzero(inside.any(1))
        corners = (columns[0] + 1, rows[0] + 1, columns[-1] + 1, rows[-1] + 1)
        boxes.append((value - 1, *map(int, corners)))
    return boxes
