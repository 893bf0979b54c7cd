"""Zip files of results: written with equal bytes for equal content, read by several processes."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hfpl.storage.names import Names

UNREADABLE_ZIP = (
    OSError, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What Python raises on zip files that are damaged, encrypted, packed by an unknown method or made
by hand."""


class Archive:
    """Members of a zip file by name, in under a hundred bytes of memory each and their names.

    The file is opened again in every process: a forked one shares the position in an open file
    with its parent, and an open file cannot be sent to another process at all.

    Raises:
        OSError, zipfile.BadZipFile, NotImplementedError: at the first access in a process, where
            the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process: int | None = None

    def __contains__(self, name: str) -> bool:
        self.open()
        return self._directory.find(name) is not None

    def names(self) -> Iterator[str]:
        """Names of all members, sorted."""
        self.open()
        return iter(self._directory.names)

    def read(self, name: str, limit: int) -> bytes:
        """Content of a member.

        Args:
            limit: as of :func:`read_file`.

        Raises:
            KeyError: there is none of that name; others as :func:`read_file`.
        """
        self.open()
        info = self._directory.find(name)
        if info is None:
            raise KeyError(name)
        return read_file(self._zip, info, limit)

    def open(self) -> None:
        """Open the file, where it is not yet in this process; errors as of the class."""
        if self._process == os.getpid():
            return
        self._zip = zipfile.ZipFile(self.path)
        self._directory = _Directory(self._zip.infolist())
        # Python's own directory takes half a kilobyte per member, in every loading process.
        self._zip.filelist.clear()
        self._zip.NameToInfo.clear()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(**state)


class _Directory:
    """What a zip says of its members, in arrays; of several of one name the last counts."""

    _FIELDS = np.dtype(
        [
            ("header_offset", "u8"),
            ("compress_size", "u8"),
            ("file_size", "u8"),
            ("CRC", "u4"),
            ("compress_type", "u2"),
            ("flag_bits", "u2"),
        ]
    )

    def __init__(self, infos: Sequence[zipfile.ZipInfo]) -> None:
        infos = sorted(infos, key=lambda info: info.filename)
        try:
            self._fields = np.array(
                [tuple(getattr(info, name) for name in self._FIELDS.names) for info in infos],
                self._FIELDS,
            )
        except OverflowError:
            raise zipfile.BadZipFile("a member begins before the file does") from None
        self.names = Names([info.filename for info in infos])

    def find(self, name: str) -> zipfile.ZipInfo | None:
        """The member of a name, or None."""
        place = self.names.find(name)
        if place is None:
            return None
        info = zipfile.ZipInfo(name)
        for field, value in zip(self._FIELDS.names, self._fields[place].item(), strict=True):
            setattr(info, field, value)
        return info


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
