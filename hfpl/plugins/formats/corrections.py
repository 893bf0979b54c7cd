"""Masks that a person has put right: the segmentation network learns from them."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from hfpl.plugins.formats.class_names import counted, shown
from hfpl.plugins.formats.folder.layouts import read_annotations
from hfpl.plugins.formats.folder.listing import CORRECTIONS, Photographs, Row
from hfpl.plugins.formats.folder.masks import drawn_mask, images_of, mask_files
from hfpl.plugins.formats.interface import Files
from hfpl.plugins.formats.records import DrawnMask
from hfpl.storage.manifest import ImageRecord
from hfpl.storage.reading import ImageRoot


def find_corrections(
    root: ImageRoot, manifests: Files
) -> tuple[dict[str, str | DrawnMask], list[str]]:
    """Corrected masks of training photographs: image id → file, or what is drawn of an annotation
    file's regions; and notes about what is not used.

    ``corrections/`` holds masks, called as those in ``masks/``, and annotation files of COCO, Label
    Studio and CVAT. What is not drawn on a corrected photograph is background. Photographs of
    ``val`` are scored, and nothing is learned from them.

    Raises:
        ValueError: a file is malformed, names a photograph that is not there or a class that is
            none, or a photograph has two corrections.
    """
    images, classes = images_of(manifests)
    held_out = {image.id for image in images_of({"val": manifests["val"]})[0]}
    found: dict[str, str | DrawnMask] = {}
    files, rest = mask_files(root, CORRECTIONS, images)
    found.update(files)
    tree = root.tree()
    listings, _ = read_annotations(root, tree, (CORRECTIONS,))
    lists = {PurePosixPath(name).name for listing in listings for name in _files(listing.source)}
    rest = [name for name in rest if name not in lists]
    notes = [counted(rest, "files in corrections are no mask of a photograph")] if rest else []
    lying, of_file = Photographs(tree), {image.file: image for image in images}
    without = 0
    for listing in listings:
        for row in listing.rows:
            image = _image(row, lying, of_file)
            if row.drawn is None:
                without += 1
                continue
            if image.id in found:
                raise ValueError(f"{row.where}: {shown(row.file)} has two corrections; keep one")
            found[image.id] = drawn_mask(row.drawn, classes, listing.source, row.where)
    if without:
        notes.append(f"{without} photographs in corrections have no region drawn, and are not used")
    if unused := sorted(set(found) & held_out):
        notes.append(
            counted(unused, "corrected photographs are of val, and nothing learns of them")
        )
    return {name: mask for name, mask in found.items() if name not in held_out}, notes


def _files(source: str) -> Sequence[str]:
    return source.split(", ")


def _image(row: Row, lying: Photographs, of_file: Mapping[str, ImageRecord]) -> ImageRecord:
    named = (f"images/{row.file}", PurePosixPath(row.file).name)
    for file in (lying.of(row), *map(lying.find, named)):
        if file in of_file:
            return of_file[file]
    raise ValueError(
        f"{row.where}: {shown(row.file)} is none of the photographs{lying.suggest(row.file)}"
    )
