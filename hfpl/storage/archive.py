"""Zip files of results: written with equal bytes for equal content, read by several processes."""

import os
import zipfile
from pathlib import Path


class Archive:
    """A zip file, opened again in every process.

    A forked process shares the position in an open file with its parent, and an open file cannot
    be sent to another process at all.

    Raises:
        OSError, zipfile.BadZipFile, NotImplementedError: at the first access in a process, where
            the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process: int | None = None

    @property
    def zip(self) -> zipfile.ZipFile:
        """The file, open in this process."""
        if self._process != os.getpid():
            self._zip = zipfile.ZipFile(self.path)
            self._process = os.getpid()
        return self._zip

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(**state)


_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods that Python unpacks no further than asked."""


def read_file(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Content of a file in a zip that is not trusted, of at most ``limit`` bytes.

    Raises:
        zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, zlib.error: it is
            larger, packed by a method that could unpack to any size, or damaged.
    """
    if info.file_size > limit:
        raise zipfile.BadZipFile(f"{info.file_size} bytes, more than {limit}: refused")
    if info.compress_type not in _BOUNDED:
        raise zipfile.BadZipFile("compressed by an unusual method: refused")
    # A number of bytes bounds what is unpacked, whatever the archive says.
    with archive.open(info) as file:
        content = file.read(info.file_size)
    if len(content) != info.file_size:
        raise zipfile.BadZipFile(f"{len(content)} of {info.file_size} bytes")
    return content


def add_file(archive: zipfile.ZipFile, name: str, content: bytes | str) -> None:
    """Store a file in a zip; equal content gives equal bytes, whenever it is written."""
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
