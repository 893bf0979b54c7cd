"""Read images and masks below a data set's root: a folder, or a zip file of one."""

import base64
import binascii
import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from hfpl.images.decode import UNREADABLE, decode_image, shrunk_size
from hfpl.images.palette import IGNORE, decode_mask
from hfpl.storage.archive import UNREADABLE_ZIP, Archive
from hfpl.storage.manifest import ImageRecord, MaskRecord

_LARGEST = 512 * 2**20
"""Bytes of the largest file that is read out of a zip."""


class ImageRoot:
    """Files below a folder or inside a zip, by path with forward slashes."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._archive = Archive(self.root)
        if not self.root.exists():
            raise ValueError(f"{root}: no such folder or zip file")
        if self.root.is_file() and not zipfile.is_zipfile(self.root):
            raise ValueError(f"{root}: neither a folder nor a zip file")

    def names(self, folder: str) -> list[str]:
        """Names of the files directly in a folder, sorted; empty where there is none."""
        if self.root.is_dir():
            path = self.root / folder
            return sorted(p.name for p in path.iterdir() if p.is_file()) if path.is_dir() else []
        start = f"{folder}/"
        names = (n[len(start) :] for n in self._opened().names() if n.startswith(start))
        return sorted(n for n in names if n and "/" not in n)

    def tree(self) -> dict[str, list[str]]:
        """Every folder and the names of the files directly in it, both sorted; '' is the root.

        Links are followed, hidden files and folders left out.
        """
        if self.root.is_dir():
            return dict(_walk(self.root))
        found: dict[str, list[str]] = {"": []}
        for name in self._opened().names():
            if not any(part.startswith(".") for part in name.split("/")):
                folder, _, file = name.rpartition("/")
                found.setdefault(folder, []).extend([file] if file else [])
        return {folder: sorted(found[folder]) for folder in sorted(found)}

    def exists(self, file: str) -> bool:
        """Whether a file is there."""
        if self.root.is_dir():
            return (self.root / file).is_file()
        return file in self._opened()

    def read(self, file: str) -> bytes:
        """Content of a file; ValueError names it where it cannot be read."""
        try:
            if self.root.is_dir():
                return (self.root / file).read_bytes()
            return self._opened().read(file, _LARGEST)
        except KeyError:
            raise ValueError(f"{self.root}/{file}: cannot be read: not there") from None
        except UNREADABLE_ZIP as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"{self.root}/{file}: cannot be read: {reason}") from None

    def image(self, record: ImageRecord) -> Image.Image:
        """Image of the record's height and width, RGB, as :func:`decode_image` makes it.

        Raises:
            ValueError: it cannot be read, or is not the one that was recorded.
        """
        content = self._recorded(record)
        try:
            image = decode_image(content, max(record.height, record.width))
        except UNREADABLE as error:
            raise ValueError(f"{self.root}/{record.file}: not a readable image: {error}") from None
        if image.size != (record.width, record.height):
            raise ValueError(
                f"{self.root}/{record.file}: its shape is not that of the {record.width}x"
                f"{record.height} pixels recorded; was it changed since the data were indexed?"
            )
        return image

    def mask(self, record: MaskRecord, size: tuple[int, int] | None = None) -> np.ndarray:
        """Label map, uint8 (h, w), 255 where the annotators left it open.

        Args:
            size: height and width to shrink it to, where its image is shrunk too.
        """
        content = self._recorded(record)
        try:
            mask = decode_mask(content)
        except UNREADABLE as error:
            raise ValueError(f"{self.root}/{record.file}: not a readable mask: {error}") from None
        if record.labels:
            own = np.full(256, IGNORE, np.uint8)
            own[[0, *record.labels]] = range(len(record.labels) + 1)
            mask = own[mask]
        if size and mask.shape != size and shrunk_size(mask.shape, max(size)) == size:
            small = Image.fromarray(mask).resize(size[::-1], Image.Resampling.NEAREST)
            return np.asarray(small)
        return mask

    def _recorded(self, record: ImageRecord | MaskRecord) -> bytes:
        """Content of a record's file; ValueError where it is another than was recorded."""
        inline = record.png if isinstance(record, MaskRecord) else ""
        try:
            content = base64.b64decode(inline) if inline else self.read(record.file)
        except binascii.Error:
            raise ValueError(
                f"{self.root}/{record.file}: the mask of '{record.id}' in its manifest is damaged; "
                "remove the manifest"
            ) from None
        if record.sha256 and hashlib.sha256(content).hexdigest() != record.sha256:
            raise ValueError(
                f"{self.root}/{record.file}: not the file that was indexed; it was changed or "
                "damaged since: put it back, or 'touch' it to have it indexed again"
            )
        return content

    def _opened(self) -> Archive:
        try:
            self._archive.open()
            return self._archive
        except UNREADABLE_ZIP as error:
            raise ValueError(f"{self.root}: not a readable zip file: {error}") from None


def _walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    been = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in been:  # A link may lead back to where it lies.
            folders.clear()
            continue
        been.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(place).relative_to(root).as_posix()
        shown = [n for n in sorted(files) if n[0] != "." and Path(place, n).is_file()]
        yield "" if relative == "." else relative, shown
