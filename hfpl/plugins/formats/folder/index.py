"""A folder of photographs: ``images/``, their tags in ``labels.csv``."""

import difflib
import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from hfpl.jobs.progress import track
from hfpl.plugins.formats.class_names import (
    check_classes,
    class_lines,
    counted,
    likeness,
    shown,
)
from hfpl.plugins.formats.folder import Settings
from hfpl.plugins.formats.folder.labels import LABEL_FILE, LabelRow, read_labels
from hfpl.plugins.formats.kinds import is_photograph, other_kinds
from hfpl.plugins.formats.layout import CLASS_FILE
from hfpl.plugins.formats.plausible import copies
from hfpl.plugins.formats.records import Wanted, image_records, write_split
from hfpl.plugins.formats.summary import summary
from hfpl.sections.suggest import suggest
from hfpl.storage.manifest import SPLITS, Manifest
from hfpl.storage.reading import ImageRoot

logger = logging.getLogger(__name__)

IMAGES = "images"


@dataclass
class Photograph:
    """An image of the list, all its rows taken together.

    Attributes:
        file: its name in ``images/``.
        line: of its first row.
        tags: names, each with the line that gave it.
        split: that its rows name, or None.
    """

    file: str
    line: int
    tags: dict[str, int] = field(default_factory=dict)
    split: str | None = None

    @property
    def id(self) -> str:
        """The file's name without its ending, in Unicode's composed form."""
        return unicodedata.normalize("NFC", PurePosixPath(self.file).stem)


def write_folder_index(
    dataset: str,
    root: ImageRoot,
    settings: Settings,
    manifests: Mapping[str, Sequence[Path]],
) -> str:
    """Read the list and the images, and write the manifests.

    Every image is decoded whole, so that a damaged one is found here and not hours later.

    Args:
        dataset: name that results carry.
        root: folder, or zip of one.
        manifests: for each split, the files to write, one per shard.

    Returns:
        A line about what was found, and what was left out.

    Raises:
        ValueError: the list or an image is missing or malformed; the message names it.
    """
    photographs, notes = read_photographs(root)
    classes = read_folder_classes(root, photographs)
    members = assign_splits(photographs, settings.val_share, str(root.root))
    content = {}
    with track("data index", len(photographs), "images") as advance:
        for split in SPLITS:
            wanted = (
                Wanted(
                    photo.id,
                    f"{IMAGES}/{photo.file}",
                    tuple(sorted(classes.index(tag) for tag in photo.tags)),
                )
                for photo in sorted(members[split], key=lambda photo: photo.id)
            )
            images = image_records(root, wanted, advance, settings.max_side)
            content[split] = Manifest(dataset, split, classes, tuple(images))
    for line in copies(content):
        logger.warning("data index: warning: %s", line)
    for split, whole in content.items():
        write_split(whole, manifests[split])
    return summary(content, notes)


def read_photographs(root: ImageRoot) -> tuple[list[Photograph], list[str]]:
    """The images of the list, sorted by id, and notes about what was left out.

    An image may have several rows: its tags are those of all of them.

    Raises:
        ValueError: the list cannot be read, names a file that is not there, gives an image two
            splits, or two images have the same name but for their endings.
    """
    files = root.names(IMAGES)
    if not files:
        raise ValueError(f"{root.root}/{IMAGES}: no files; put the photographs into this folder")
    content = root.read(LABEL_FILE)
    try:
        rows, notes = read_labels(content)
        photographs = _join_rows(rows, files)
    except ValueError as error:
        raise ValueError(f"{root.root}/{error}") from None
    of_id: dict[str, Photograph] = {}
    for photo in photographs:
        other = of_id.setdefault(photo.id, photo)
        if other is not photo:
            raise ValueError(
                f"{root.root}/{IMAGES}: {shown(other.file)} and {shown(photo.file)} differ in "
                "their endings alone, and results are named without; rename one of them"
            )
    listed = {photo.file for photo in photographs}
    rest = [f for f in files if f not in listed and is_photograph(f)]
    if rest:
        notes.append(counted(rest, f"images without a row in {LABEL_FILE} are not used"))
    if kinds := other_kinds(files):
        notes.append(kinds)
    return sorted(photographs, key=lambda photo: photo.id), notes


def read_folder_classes(root: ImageRoot, photographs: Sequence[Photograph]) -> tuple[str, ...]:
    """Classes in the order of their labels 1, 2, …: of ``classes.txt``, else the tags, sorted.

    Raises:
        ValueError: the classes are none, too many, or hard to tell apart; or a tag is none of
            ``classes.txt``.
    """
    used = _first_lines(photographs)
    where = f"{root.root}/{LABEL_FILE}"
    if root.exists(CLASS_FILE):
        classes = class_lines(root.read(CLASS_FILE), f"{root.root}/{CLASS_FILE}")
        for tag, line in used.items():
            if tag not in classes:
                hint = suggest(tag, classes)
                raise ValueError(
                    f"{where}: line {line}: tag {shown(tag)} is not in classes.txt{hint}"
                )
        return classes
    alike: dict[str, str] = {}
    for tag, line in used.items():
        other = alike.setdefault(likeness(tag), tag)
        if other != tag:
            raise ValueError(
                f"{where}: line {line}: tag {shown(tag)} and tag {shown(other)} of line "
                f"{used[other]} differ in capitals or width alone; write both alike"
            )
    check_classes(sorted(used), where)
    return tuple(sorted(used))


def _first_lines(photographs: Iterable[Photograph]) -> dict[str, int]:
    """Each tag and the first line that has it, in the order of the lines."""
    found: dict[str, int] = {}
    for photo in photographs:
        for tag, line in photo.tags.items():
            found[tag] = min(line, found.get(tag, line))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def assign_splits(
    photographs: Sequence[Photograph], val_share: float, where: str
) -> dict[str, list[Photograph]]:
    """The photographs of each split: as the list says, else a share of them held out.

    The share is rounded, and each split gets at least one; which ones are held out follows from a
    hash of their names, so that it stays as it is from run to run.

    Raises:
        ValueError: some photographs have a split and others none, or one split would be empty.
    """
    named = [photo for photo in photographs if photo.split]
    if named and len(named) < len(photographs):
        lacking = next(photo for photo in photographs if not photo.split)
        raise ValueError(
            f"{where}/{LABEL_FILE}: line {lacking.line}: {shown(lacking.file)} has no split, "
            "others have; write 'train' or 'val', or leave all out"
        )
    if not named:
        if len(photographs) < 2:
            raise ValueError(
                f"{where}/{LABEL_FILE}: expected at least two photographs, one to train on and "
                "one to hold out"
            )
        count = min(max(1, round(val_share * len(photographs))), len(photographs) - 1)
        held_out = {photo.id for photo in sorted(photographs, key=_rank)[:count]}
        for photo in photographs:
            photo.split = "val" if photo.id in held_out else "train"
    found = {split: [p for p in photographs if p.split == split] for split in SPLITS}
    for split, members in found.items():
        if not members:
            raise ValueError(f"{where}/{LABEL_FILE}: no photograph has split '{split}'")
    return found


def _rank(photo: Photograph) -> bytes:
    return hashlib.sha256(f"split {photo.id}".encode()).digest()


def _join_rows(rows: Iterable[LabelRow], files: Sequence[str]) -> list[Photograph]:
    exact = set(files)
    composed = {unicodedata.normalize("NFC", file): file for file in files}
    stems: dict[str, list[str]] = {}
    for file in filter(is_photograph, composed):
        stems.setdefault(PurePosixPath(file).stem, []).append(composed[file])
    found: dict[str, Photograph] = {}
    for row in rows:
        name = unicodedata.normalize("NFC", row.file)
        file = row.file if row.file in exact else composed.get(name)
        if file is None and len(stems.get(name, [])) == 1:
            (file,) = stems[name]  # written without its ending
        if file is None:
            raise ValueError(
                f"{LABEL_FILE}: line {row.line}: {shown(row.file)} is not in {IMAGES}"
                f"{_did_you_mean(name, composed)}"
            )
        photo = found.setdefault(file, Photograph(file, row.line))
        if row.split and photo.split not in (None, row.split):
            raise ValueError(
                f"{LABEL_FILE}: line {row.line}: {shown(row.file)} has split '{row.split}' here "
                f"and '{photo.split}' above"
            )
        photo.split = photo.split or row.split
        photo.tags = {**dict.fromkeys(row.tags, row.line), **photo.tags}
    return list(found.values())


def _did_you_mean(name: str, files: Iterable[str]) -> str:
    """The end of the line about a missing file: the nearest name, whatever its capitals."""
    small = {file.casefold(): file for file in files}
    near = difflib.get_close_matches(name.casefold(), small, n=1, cutoff=0.6)
    return f"; did you mean {shown(small[near[0]])}?" if near else ""
