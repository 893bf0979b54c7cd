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


def add_file(archive: zipfile.ZipFile, name: str, content: bytes | str) -> None:
    """Store a file in a zip; equal content gives equal bytes, whenever it is written."""
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
