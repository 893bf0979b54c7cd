"""A zip file that several processes read."""

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
