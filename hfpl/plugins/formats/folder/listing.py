"""The inner form of every layout of a folder: photographs, their tags, their splits."""

import difflib
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from hfpl.images.regions import Region
from hfpl.plugins.formats.class_names import counted, shown
from hfpl.plugins.formats.kinds import is_photograph, other_kinds
from hfpl.storage.manifest import SPLITS
from hfpl.storage.reading import ImageRoot

MASKS, CORRECTIONS = "masks", "corrections"
"""Folders beside the photographs: what they are scored against, and what a person put right."""
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
}  # fmt: skip
"""What people call the splits."""


@dataclass(frozen=True)
class Drawn:
    """Regions that a person drew on a photograph, each with the name of its class.

    Attributes:
        size: height and width that they were drawn at.
        regions: in the order in which they cover each other.
    """

    size: tuple[int, int]
    regions: Sequence[tuple[str, Region]]


@dataclass(frozen=True)
class Row:
    """What a list says about a photograph.

    Attributes:
        where: place in the list, for messages.
        file: the photograph, as the list calls it.
        tags: names of classes, clean.
        split: ``train``, ``val``, or None where the list does not say.
        drawn: regions, where there are any.
        address: whether ``file`` is an address, which ends in the photograph's path.
    """

    where: str
    file: str
    tags: Sequence[str]
    split: str | None = None
    drawn: Drawn | None = None
    address: bool = False


@dataclass(frozen=True)
class Listing:
    """What a layout says about a folder.

    Attributes:
        layout: its name, for a person.
        source: the file that says so, or the folder.
        rows: a photograph may have several.
        folder: that the rows' files are looked for in; '' is the root.
        notes: what was not taken as it stands.
        classes: in the order of their labels, where the layout has one.
        complete: whether regions are all there is to see, so that they can serve as masks.
        told: files without a row, of which the notes tell.
    """

    layout: str
    source: str
    rows: Sequence[Row]
    folder: str = ""
    notes: Sequence[str] = ()
    classes: Sequence[str] | None = None
    complete: bool = False
    told: Sequence[str] = ()


@dataclass
class Photograph:
    """A photograph, all its rows taken together.

    Attributes:
        file: its path below the root.
        id: what results are called; its name without the ending, where that is unique.
        where: its first row.
        tags: names, each with the row that gave it.
        split: that its rows name, or None.
        drawn: of its last row with regions.
    """

    file: str
    where: str
    id: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    split: str | None = None
    drawn: Drawn | None = None


class Photographs:
    """The photographs that lie in a folder, found by the names that lists give them.

    Args:
        tree: of the root, as :meth:`hfpl.storage.reading.ImageRoot.tree` has it.
        folder: where they are looked for; masks and corrections are none.
    """

    def __init__(self, tree: Mapping[str, Sequence[str]], folder: str = "") -> None:
        self.folder = folder
        places = {
            place: names
            for place, names in tree.items()
            if (place + "/").startswith(f"{folder}/" if folder else "")
            and place.partition("/")[0] not in (MASKS, CORRECTIONS)
        }
        every = [f"{place}/{name}" if place else name for place in places for name in places[place]]
        self.files = [file for file in every if is_photograph(PurePosixPath(file).name)]
        self.others = [file for file in every if not is_photograph(PurePosixPath(file).name)]
        self._exact = {**{_composed(file): file for file in every}, **{f: f for f in every}}
        self._by_end: dict[str, list[str]] = {}
        for file in self.files:
            for end in _ends(_composed(file)):
                self._by_end.setdefault(end, []).append(file)

    def find(self, name: str) -> str | None:
        """The file of a name: its path from the folder, the end of it, or that without ending."""
        start = f"{self.folder}/" if self.folder else ""
        for written in (name, _composed(name)):
            if start + written in self._exact:
                return self._exact[start + written]
        found = self._by_end.get(_composed(name), [])
        return found[0] if len(found) == 1 else None

    def of(self, row: Row) -> str | None:
        """The file of a row; of an address, that of its longest end that is one's."""
        if not row.address:
            return self.find(row.file)
        parts = PurePosixPath(row.file).parts
        ends = ("/".join(parts[first:]) for first in range(len(parts)))
        return next(filter(None, map(self.find, ends)), None)

    def suggest(self, name: str) -> str:
        """The end of the line about a missing file: the nearest name, whatever its capitals."""
        start = len(self.folder) + 1 if self.folder else 0
        small = {file.casefold()[start:]: file[start:] for file in self.files}
        near = difflib.get_close_matches(_composed(name).casefold(), small, n=1, cutoff=0.6)
        return f"; did you mean {shown(small[near[0]])}?" if near else ""


def join(listing: Listing, lying: Photographs, root: str) -> list[Photograph]:
    """Photographs of a list, all rows of one taken together, sorted by id.

    Args:
        root: for messages.

    Raises:
        ValueError: a row's file is not there, a photograph has two splits, or two have one name.
    """
    found: dict[str, Photograph] = {}
    for row in listing.rows:
        file = lying.of(row)
        if file is None:
            place = listing.folder or "the folder"
            hint = lying.suggest(row.file)
            raise ValueError(f"{row.where}: {shown(row.file)} is not in {place}{hint}")
        photo = found.setdefault(file, Photograph(file, row.where))
        if row.split and photo.split not in (None, row.split):
            raise ValueError(
                f"{row.where}: {shown(row.file)} has split '{row.split}' here and "
                f"'{photo.split}' above"
            )
        photo.split = photo.split or row.split
        photo.drawn = row.drawn or photo.drawn
        photo.tags = {**dict.fromkeys(row.tags, row.where), **photo.tags}
    _name(list(found.values()), listing.folder, root)
    return sorted(found.values(), key=lambda photo: photo.id)


def left_out(photographs: Iterable[Photograph], listing: Listing, lying: Photographs) -> list[str]:
    """Notes about files that the list does not name, and that are no photographs."""
    listed = {photo.file for photo in photographs} | set(listing.told)
    rest = [PurePosixPath(file).name for file in lying.files if file not in listed]
    notes = (
        [counted(rest, f"images without a row in {listing.source} are not used")] if rest else []
    )
    kinds = other_kinds(PurePosixPath(f).name for f in lying.others if f not in _KNOWN)
    return [*notes, kinds] if kinds else notes


_KNOWN = ("classes.txt",)


def assign_splits(
    photographs: Sequence[Photograph], val_share: float, where: str
) -> dict[str, list[Photograph]]:
    """The photographs of each split: as the list says, else about a share of them held out.

    Each photograph is held out or not by a hash of its name, whatever others there are, so that
    new ones move none. Each split gets at least one.

    Raises:
        ValueError: some photographs have a split and others none, or one split would be empty.
    """
    named = [photo for photo in photographs if photo.split]
    if named and len(named) < len(photographs):
        lacking = next(photo for photo in photographs if not photo.split)
        raise ValueError(
            f"{lacking.where}: {shown(lacking.file)} has no split, others have; write 'train' or "
            "'val', or leave all out"
        )
    if not named:
        if len(photographs) < 2:
            raise ValueError(
                f"{where}: expected at least two photographs, one to train on and one to hold out"
            )
        ranked = sorted(photographs, key=_rank)
        count = sum(_rank(photo) < val_share for photo in ranked)
        count = min(max(1, count), len(ranked) - 1)
        for place, photo in enumerate(ranked):
            photo.split = "val" if place < count else "train"
    found = {split: [p for p in photographs if p.split == split] for split in SPLITS}
    for split, members in found.items():
        if not members:
            raise ValueError(f"{where}: no photograph has split '{split}'")
    return found


def merge_copies(root: ImageRoot, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Rows of files with the same content as rows of the first of them, and the other files."""
    first: dict[str, str] = {}
    merged, copies = [], []
    for row in rows:
        digest = hashlib.sha256(root.read(row.file)).hexdigest()
        file = first.setdefault(digest, row.file)
        if file != row.file:
            copies.append(row.file)
        merged.append(Row(row.where, file, row.tags, row.split))
    return merged, copies


def _rank(photo: Photograph) -> float:
    digest = hashlib.sha256(f"split {photo.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _ends(file: str) -> Iterable[str]:
    """What may stand for a path: its end from any folder on, and its name without ending."""
    parts = file.split("/")
    yield from ("/".join(parts[k:]) for k in range(len(parts)))
    yield PurePosixPath(file).stem


def _name(photographs: Sequence[Photograph], folder: str, root: str) -> None:
    """Give every photograph its id: its name without ending, else with its folders before it."""
    stems: dict[str, list[Photograph]] = {}
    for photo in photographs:
        stems.setdefault(_composed(PurePosixPath(photo.file).stem), []).append(photo)
    taken: dict[str, Photograph] = {}
    for stem, several in stems.items():
        for photo in several:
            inside = PurePosixPath(photo.file).relative_to(folder or ".").with_suffix("")
            photo.id = stem if len(several) == 1 else _composed("-".join(inside.parts))
            other = taken.setdefault(photo.id, photo)
            if other is not photo:
                raise ValueError(
                    f"{f'{root}/{folder}'.rstrip('/')}: {shown(_inside(other, folder))} and "
                    f"{shown(_inside(photo, folder))} differ in their endings alone, and results "
                    "are named without; rename one of them"
                )


def _inside(photo: Photograph, folder: str) -> str:
    return photo.file.removeprefix(f"{folder}/")
