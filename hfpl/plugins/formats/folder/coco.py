"""Annotation files in COCO's format: categories are tags, segmentations are masks."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hfpl.images.regions import FARTHEST, Region, region_of
from hfpl.plugins.formats.class_names import check_classes, clean
from hfpl.plugins.formats.folder.labels import clean_tags
from hfpl.plugins.formats.folder.listing import SPLIT_WORDS, Drawn, Listing, Row
from hfpl.storage.schema import first_problem

_Side = Annotated[int, Field(ge=1, le=FARTHEST)]


class _Image(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int | str
    file_name: Annotated[str, Field(min_length=1)]
    height: _Side | None = None
    width: _Side | None = None


class _Category(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int
    name: str


class _Annotation(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int | str | None = None
    image_id: int | str
    category_id: int
    segmentation: Any = None


class _Content(BaseModel):
    """The parts that are read; others may be there."""

    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category]


def looks_like_coco(content: Any) -> bool:
    """Whether the content of a JSON file is meant to be COCO's."""
    return isinstance(content, dict) and "images" in content and "categories" in content


def read_coco(root: str, contents: Mapping[str, Any]) -> Listing:
    """Rows of all annotation files; of several, the names say of which split each is.

    Args:
        root: for messages.
        contents: file → content of its JSON.

    Raises:
        ValueError: a file is malformed; the message names file and place.
    """
    rows: list[Row] = []
    classes: tuple[str, ...] | None = None
    for file, content in contents.items():
        split = _split(file)
        if len(contents) > 1 and split is None:
            raise ValueError(
                f"{root}/{file}: one of several annotation files, and its name says neither train "
                "nor val; join them, or name them so"
            )
        found, names = _read(f"{root}/{file}", content, split)
        if classes not in (None, names):
            raise ValueError(f"{root}/{file}: other categories than in the file before it")
        classes = names
        rows += found
    return Listing("COCO's annotations", ", ".join(contents), rows, "", (), classes, True)


def _split(file: str) -> str | None:
    words = PurePosixPath(file).stem.casefold().replace("-", "_").replace(".", "_").split("_")
    found = {SPLIT_WORDS[w.rstrip("0123456789")] for w in words
             if w.rstrip("0123456789") in SPLIT_WORDS}  # fmt: skip
    return found.pop() if len(found) == 1 else None


def _read(file: str, content: Any, split: str | None) -> tuple[list[Row], tuple[str, ...]]:
    try:
        parsed = _Content.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{file}: not COCO's annotations: {first_problem(error)}") from None
    categories = {c.id: clean(c.name) for c in sorted(parsed.categories, key=lambda c: c.id)}
    if len(categories) != len(parsed.categories):
        raise ValueError(f"{file}: two categories have one id")
    classes = tuple(categories.values())
    check_classes(classes, f"{file}: categories")
    images = {image.id: image for image in parsed.images}
    if len(images) != len(parsed.images):
        raise ValueError(f"{file}: two images have one id")
    tags: dict[int | str, list[str]] = {image_id: [] for image_id in images}
    regions: dict[int | str, list[tuple[str, Region]]] = {}
    for one in parsed.annotations:
        where = f"{file}: annotation {one.id} of image {one.image_id}"
        if one.image_id not in images:
            raise ValueError(f"{where}: no such image in the file")
        if one.category_id not in categories:
            raise ValueError(f"{where}: no category {one.category_id}")
        tags[one.image_id].append(categories[one.category_id])
        if one.segmentation:
            try:
                region = region_of(one.segmentation)
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where}: {error}") from None
            regions.setdefault(one.image_id, []).append((categories[one.category_id], region))
    rows = [
        Row(
            f"{file}: image {image.id}",
            image.file_name.removeprefix("./"),
            clean_tags(tags[image.id], f"{file}: image {image.id}"),
            split,
            _drawn(image, regions, bool(tags[image.id])),
        )
        for image in images.values()
    ]
    return rows, classes


def _drawn(
    image: _Image, regions: Mapping[int | str, Sequence[tuple[str, Region]]], tagged: bool
) -> Drawn | None:
    """Regions of an image; where all its objects are boxes alone there are none.

    An image without an object in a file that has segmentations is background everywhere.
    """
    own = regions.get(image.id, [])
    if not regions or image.height is None or image.width is None or (tagged and not own):
        return None
    return Drawn((image.height, image.width), own)
