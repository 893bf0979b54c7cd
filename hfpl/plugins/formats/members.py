"""Read files out of an archive that is not trusted; nothing is ever unpacked to disk."""

import re
import stat
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from hfpl.storage.archive import UNREADABLE_ZIP, read_file

_UNREADABLE = (*UNREADABLE_ZIP, tarfile.TarError)

LARGEST = 64 * 2**20
"""Bytes of the largest image, mask or annotation that is read."""


class Members:
    """Regular files of a zip or an uncompressed tar archive, by name.

    Links, devices and names that lead out of the archive are left out, with one line about them.

    Raises:
        ValueError: no such file, or no readable archive.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{path}: no such file; 'hfpl data download' puts it there")
        self._archive: zipfile.ZipFile | tarfile.TarFile
        try:
            if zipfile.is_zipfile(self.path):
                self._archive = zipfile.ZipFile(self.path)
            else:
                self._archive = tarfile.open(self.path, "r:")  # noqa: SIM115
            self._found = dict(self._usable())
        except _UNREADABLE as error:
            raise ValueError(
                f"{path}: neither a readable zip nor a readable uncompressed tar: {error}"
            ) from None

    def __enter__(self) -> "Members":
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def read(self, name: str, limit: int = LARGEST) -> bytes:
        """Content of a file of at most ``limit`` bytes.

        Raises:
            ValueError: it is not there, larger, or damaged; the message names it.
        """
        if name not in self._found:
            raise ValueError(f"{self.path}: no file '{name}' in it; it is not the expected archive")
        info = self._found[name]
        try:
            if isinstance(self._archive, zipfile.ZipFile):
                return read_file(self._archive, info, limit)
            if info.size > limit:
                raise tarfile.TarError(f"{info.size} bytes, more than {limit}: refused")
            content = self._archive.extractfile(info).read()
            if len(content) != info.size:
                raise tarfile.TarError(f"{len(content)} of {info.size} bytes")
        except _UNREADABLE as error:
            raise ValueError(f"{self.path}: '{name}' cannot be read: {error}") from None
        return content

    def _usable(self) -> Iterator[tuple[str, zipfile.ZipInfo | tarfile.TarInfo]]:
        ignored = []
        if isinstance(self._archive, zipfile.ZipFile):
            listed = ((i.filename, i, i.is_dir(), _is_regular(i)) for i in self._archive.infolist())
        else:
            listed = ((i.name, i, i.isdir(), i.isreg()) for i in self._archive)
        for name, info, folder, regular in listed:
            if regular and not _leads_out(name):
                yield name.removeprefix("./"), info
            elif not folder:
                ignored.append(name)
        if ignored:
            print(
                f"{self.path}: {len(ignored)} entries ignored: links, devices, or names that lead "
                f"out of it, such as {ignored[0]!r}",
                file=sys.stderr,
                flush=True,
            )


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive knows no file types
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _leads_out(name: str) -> bool:
    outside = name.startswith("/") or ".." in name.split("/")
    return outside or "\\" in name or re.match("[A-Za-z]:", name) is not None
