"""Read a weights file in the format that it has."""

import struct
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from hfpl.networks.weights.mxnet import read_mxnet
from hfpl.networks.weights.pth import read_pth
from hfpl.networks.weights.published import missing_file
from hfpl.storage.tensors import load_tensors

_MXNET = struct.pack("<Q", 0x112)
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80\x02"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    return load_tensors(path)[0]


def _reader(start: bytes) -> Callable[[Path], dict[str, Tensor]] | None:
    """Reader of a file by its first bytes, None where it is of no known format."""
    if start.startswith(_MXNET):
        return read_mxnet
    if start.startswith((_ZIP, _PICKLE)):
        return read_pth
    # The length of a header, and a header of JSON.
    return _read_safetensors if start[8:9] == b"{" else None


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Named tensors of a file, on the CPU; its content tells the format, not its name.

    Raises:
        ValueError: the file is missing, truncated, of no known format, or holds no tensors; one
            line that names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(missing_file(path))
    with path.open("rb") as file:
        start = file.read(256)
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ValueError(f"{path}: a web page instead of weights; download it with a browser")
    reader = _reader(start)
    if reader is None:
        raise ValueError(
            f"{path}: neither safetensors, nor of torch.save, nor MXNet's parameters; is it "
            "truncated?"
        )
    tensors = reader(path)
    if not tensors:
        raise ValueError(f"{path}: holds no tensors")
    return tensors
