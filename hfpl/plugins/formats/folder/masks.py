"""Masks of a folder of photographs: which file is which photograph's, or which were drawn."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from hfpl.images.palette import encode_mask
from hfpl.images.regions import draw
from hfpl.plugins.formats.class_names import shown
from hfpl.plugins.formats.folder.index import read_photographs
from hfpl.plugins.formats.folder.layouts import IMAGES
from hfpl.plugins.formats.folder.listing import MASKS, Drawn, Photograph
from hfpl.plugins.formats.interface import Files
from hfpl.plugins.formats.records import DrawnMask
from hfpl.storage.manifest import ImageRecord, read_manifests
from hfpl.storage.reading import ImageRoot


def folder_masks(root: ImageRoot, manifests: Files) -> tuple[dict[str, str | DrawnMask], list[str]]:
    """Masks of a folder: image id → file, or what is drawn of an annotation file's regions; and
    the files that are no image's mask.

    Raises:
        ValueError: an image has two masks, or regions do not fit it.
    """
    images, classes = images_of(manifests)
    files, rest = mask_files(root, MASKS, images)
    if files:
        return dict(files), rest
    listing, photographs, _ = read_photographs(root)
    if not listing.complete:
        return {}, rest
    return dict(drawn_masks(photographs, images, classes, listing.source)), rest


def images_of(manifests: Files) -> tuple[list[ImageRecord], Sequence[str]]:
    """Images of all splits, and their classes."""
    wholes = [read_manifests(files) for files in manifests.values()]
    return [image for whole in wholes for image in whole.images], wholes[0].classes


def mask_files(
    root: ImageRoot, folder: str, images: Iterable[ImageRecord]
) -> tuple[dict[str, str], list[str]]:
    """Masks in a folder: image id → file; and the files that are no image's mask.

    A mask is called as its image, or lies at the same place below the folder.

    Raises:
        ValueError: an image has two masks.
    """
    ids = {}
    for image in images:
        path = PurePosixPath(unicodedata.normalize("NFC", image.file)).with_suffix("").as_posix()
        ids.update(dict.fromkeys((image.id, path, path.removeprefix(f"{IMAGES}/")), image.id))
    found: dict[str, str] = {}
    rest = []
    for place, names in root.tree().items():
        if place != folder and not place.startswith(f"{folder}/"):
            continue
        for name in names:
            file = f"{place}/{name}"
            inside = PurePosixPath(unicodedata.normalize("NFC", file)).relative_to(folder)
            image_id = ids.get(inside.with_suffix("").as_posix())
            if inside.suffix.lower() != ".png" or image_id is None:
                rest.append(name)
            elif image_id in found:
                raise ValueError(
                    f"{root.root}/{found[image_id]}: a second mask of the image is {shown(name)}; "
                    "remove one of them"
                )
            else:
                found[image_id] = file
    return found, rest


def drawn_masks(
    photographs: Iterable[Photograph],
    images: Iterable[ImageRecord],
    classes: Sequence[str],
    source: str,
) -> dict[str, DrawnMask]:
    """Masks drawn of the regions of photographs.

    Args:
        source: the annotation file, which the records of the masks name.

    Raises:
        ValueError: regions do not fit.
    """
    known = {image.id for image in images}
    found = {}
    for photo in photographs:
        if photo.drawn is not None and photo.id in known:
            found[photo.id] = drawn_mask(photo.drawn, classes, source, photo.where)
    return found


def drawn_mask(drawn: Drawn, classes: Sequence[str], source: str, where: str) -> DrawnMask:
    """Mask of regions.

    Args:
        source: the annotation file that has them.
        where: place in it, for messages.

    Raises:
        ValueError: a class is unknown, or run lengths do not fit.
    """
    unknown = next((name for name, _ in drawn.regions if name not in classes), None)
    if unknown is not None:
        raise ValueError(f"{where}: {shown(unknown)} is no class; known: {', '.join(classes)}")
    labelled = ((classes.index(name) + 1, region) for name, region in drawn.regions)
    try:
        return DrawnMask(source, encode_mask(draw(labelled, drawn.size)))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
