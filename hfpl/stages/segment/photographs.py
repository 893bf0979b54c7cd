"""Which photographs to label, and what their results are called."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image

from hfpl.images.decode import ENDINGS, UNREADABLE
from hfpl.plugins.formats.kinds import is_photograph, other_kinds

MASKS, OVERLAYS = "masks", "overlays"
"""Folders of the results."""
_MASKS_OF = {"labels.csv": (MASKS,), "classes.csv": (MASKS, OVERLAYS)}
"""File that tells a folder's kind → the folders beside it that hold no photographs: of a folder to
train on, and of results."""
_OF_MASKS = (MASKS, "corrections")
"""Folders of label maps beside photographs that are trained on, in whichever layout."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Photograph:
    """A photograph and where its results go."""

    path: Path
    mask: Path
    overlay: Path


def find_photographs(given: Sequence[Path], out: Path) -> list[Photograph]:
    """Photographs among files and folders, folders searched with all below them.

    Results are named as their photograph, without its ending where that is unique, else with it,
    else also with its folder. Earlier results below ``out`` are no photographs.

    Raises:
        ValueError: an argument is neither file nor folder, nothing is found, two photographs
            cannot be told apart by name, or a result would replace a photograph; one line.
    """
    results = [(out / name).resolve() for name in (MASKS, OVERLAYS)]
    found: dict[Path, tuple[Path, PurePath]] = {}
    for argument in given:
        if not argument.exists():
            raise ValueError(f"{argument}: no such file or folder")
        root = argument if argument.is_dir() else argument.parent
        files = _files(argument) if argument.is_dir() else [argument]
        for path in files:
            real = path.resolve()
            if argument.is_dir() and any(real.is_relative_to(folder) for folder in results):
                continue
            found.setdefault(real, (path, path.relative_to(root)))
    if not found:
        raise ValueError(f"no photographs ({', '.join(ENDINGS)}) in {', '.join(map(str, given))}")
    photographs = [
        Photograph(path, out / MASKS / f"{name}.png", out / OVERLAYS / f"{name}.jpg")
        for (path, _), name in zip(found.values(), _names(list(found.values())), strict=True)
    ]
    for photograph in photographs:
        for result in (photograph.mask, photograph.overlay):
            if result.resolve() in found:
                raise ValueError(f"{result}: is a photograph; choose another folder with --out")
    return photographs


def _files(folder: Path) -> list[Path]:
    """Photographs in a folder and below, sorted, through links too; hidden ones are left out, and
    so are masks: of a folder that is trained on, and of earlier results."""
    found, other, been = [], [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        left_out = {folder for name in names for folder in _MASKS_OF.get(name, ())}
        left_out |= {name for name in folders if name in _OF_MASKS and _holds_masks(place, name)}
        # A link may lead back to where it lies.
        folders[:] = [] if real in been else sorted(
            name for name in folders if not name.startswith(".") and name not in left_out
        )  # fmt: skip
        if real in been:
            continue
        been.add(real)
        found += [Path(place, name) for name in sorted(filter(is_photograph, names))]
        other += [name for name in names if name not in _MASKS_OF and name != "classes.txt"]
    if kinds := other_kinds(other):
        _log.warning("%s: %s", folder, kinds)
    return found


def _holds_masks(place: str, folder: str) -> bool:
    """Whether the first picture in a folder is a label map: a PNG of a palette or one channel."""
    pictures = (path for path in sorted(Path(place, folder).rglob("*")) if path.suffix == ".png")
    first = next(pictures, None)
    try:
        with Image.open(first or "") as picture:
            return picture.mode in ("P", "L")
    except UNREADABLE:
        return False


def _names(photographs: Sequence[tuple[Path, PurePath]]) -> list[str]:
    """A name for each photograph's results; small and capital letters count as the same."""
    levels = (
        [relative.with_suffix("").as_posix() for _, relative in photographs],
        [relative.as_posix() for _, relative in photographs],
        [
            (path.resolve().parent.name / relative.parent / relative.name).as_posix()
            for path, relative in photographs
        ],
    )
    names = list(levels[0])
    for longer in levels[1:]:
        shared = _shared(names)
        names = [new if old.casefold() in shared else old
                 for old, new in zip(names, longer, strict=True)]  # fmt: skip
    if shared := _shared(names):
        one, other = [
            path
            for (path, _), name in zip(photographs, names, strict=True)
            if name.casefold() == min(shared)
        ][:2]
        raise ValueError(f"{one} and {other}: their results would have one name; label them apart")
    return names


def _shared(names: Sequence[str]) -> set[str]:
    counts = Counter(name.casefold() for name in names)
    return {name for name, count in counts.items() if count > 1}
