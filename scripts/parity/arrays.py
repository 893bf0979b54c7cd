"""Reading a file of reference arrays."""

import zipfile
import zlib
from pathlib import Path

import numpy as np


class Arrays(dict[str, np.ndarray]):
    """Arrays of one file by name; a ValueError names an array that is not there."""

    def __missing__(self, name: str) -> np.ndarray:
        raise ValueError(f"no array '{name}' in the file")


def read_arrays(path: Path) -> Arrays:
    """Read an ``.npz`` file without pickled objects.

    Raises:
        ValueError: the file is missing or cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; a reference folder holds one for every step")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: no .npz file, or cut off; copy it again")
    try:
        with np.load(path, allow_pickle=False) as file:
            return Arrays(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from None
