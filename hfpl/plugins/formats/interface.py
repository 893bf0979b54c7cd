"""What a format of data sets offers: where its images come from, how they are indexed."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from hfpl.plugins.formats.sources import Source

Part = Literal["images", "masks"]
"""``images``: images, tags and lists. ``masks``: what they are scored against, and its lists."""
Files = Mapping[str, Sequence[Path]]
"""Split → the files of its shards."""


class Format:
    """A data set of some format; subclasses say what differs.

    Args:
        settings: the data set's entry of ``datasets``: the ``Settings`` of the format's file, or
            what a job may read of it.

    Attributes:
        archived: whether its images lie in a zip that :meth:`make` writes, and in no folder.
        every_image_tested: whether the segmentation network labels every image, or those that
            have masks alone.
        archive_reads, index_reads, mask_reads: keys of the entry that :meth:`make`,
            :meth:`index` and :meth:`masks` read; nothing else may be read there.
        parts: folders and files below the root that images, and masks, consist of.
    """

    archived: ClassVar[bool] = False
    every_image_tested: ClassVar[bool] = False
    archive_reads: Sequence[str] = ()
    index_reads: Sequence[str] = ()
    mask_reads: Sequence[str] = ()
    parts: ClassVar[Mapping[Part, Sequence[str]]] = {"images": (), "masks": ()}

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @property
    def sources(self) -> Mapping[str, Source]:
        """Archives that are downloaded, by name."""
        return {}

    def make(self, archive: Path, downloads: Path) -> str:
        """Write the zip of an archived data set; what was done, in words.

        Args:
            archive: zip to write, in a layout that :meth:`index` reads.
            downloads: folder that the sources' files lie in.
        """
        raise NotImplementedError

    def index(self, dataset: str, images: Path, manifests: Files) -> str:
        """Write the manifests of all shards; what was found, in words.

        Args:
            dataset: name that results carry.
            images: folder or zip.

        Raises:
            ValueError: something is missing or malformed; the message names the file.
        """
        raise NotImplementedError

    def masks(self, images: Path, manifests: Files, masks: Files) -> str:
        """Write the manifests of masks of all shards; as :meth:`index`."""
        raise NotImplementedError

    def fingerprint(self, part: Part) -> str:
        """Digest of names, sizes and times of a part's files in ``root``, subfolders included.

        Cheap to take. A changed, added or removed file changes it. ``absent`` where there is no
        such folder, so that a plan needs no data.
        """
        return fingerprint(Path(self.settings.root), self.parts[part])


def fingerprint(root: Path, names: Sequence[str]) -> str:
    """As :meth:`Format.fingerprint`, of files and folders below a root, or of all of a zip."""
    digest = hashlib.sha256()
    if not root.exists():
        return "absent"
    if root.is_file():
        digest.update(f"{root.stat().st_size} {root.stat().st_mtime_ns}".encode())
    for name in names:
        for file, status in _files(root / name):
            # Not every file name is valid Unicode.
            digest.update(os.fsencode(f"{name}/{file}"))
            digest.update(f" {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names below a folder, sorted, and status of its files, or of a file; one call each."""
    if path.is_file():
        yield path.name, path.stat()
        return
    if not path.is_dir():
        return
    with os.scandir(path) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_file():
            yield entry.name, entry.stat()
        elif entry.is_dir(follow_symlinks=False):
            for name, status in _files(Path(entry.path)):
                yield f"{entry.name}/{name}", status
