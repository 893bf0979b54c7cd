"""Read a weights file in the format that its name's ending says."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from hfpl.networks.weights.mxnet import read_mxnet
from hfpl.networks.weights.pth import read_pth
from hfpl.networks.weights.published import missing_file
from hfpl.storage.tensors import load_tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    return load_tensors(path)[0]


READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    ".safetensors": _read_safetensors,
    ".pth": read_pth,
    ".pt": read_pth,
    ".params": read_mxnet,
}
"""Ending of a file's name → its reader."""


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Named tensors of a file, on the CPU.

    Raises:
        ValueError: the file is missing, truncated, of another format than its ending says, or holds
            no tensors; one line that names it.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: unknown format; expected a name ending in {', '.join(READERS)}")
    if not path.is_file():
        raise ValueError(missing_file(path))
    with path.open("rb") as file:
        if file.read(256).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise ValueError(f"{path}: a web page instead of weights; download it with a browser")
    tensors = READERS[path.suffix.lower()](path)
    if not tensors:
        raise ValueError(f"{path}: holds no tensors")
    return tensors
