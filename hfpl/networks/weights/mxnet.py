"""ImageNet weights of ResNet-38 in MXNet's list of arrays, read without mxnet.

Layout and names: docs/method.md, 10. All numbers are little-endian.
"""

import math
import re
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

LIST_MAGIC = 0x112
SHAPE64_MAGIC = 0xF993FAC8
STORAGE_MAGIC = 0xF993FAC9
TYPES = {
    0: "float32",
    1: "float64",
    2: "float16",
    3: "uint8",
    4: "int32",
    5: "int8",
    6: "int64",
}
"""MXNet's type flag → type of the numbers."""
_MOST_DIMENSIONS = 8
_LONGEST_NAME = 1024


def read_mxnet(path: Path) -> dict[str, Tensor]:
    """Tensors by the names of :mod:`hfpl.plugins.backbones.resnet38`.

    What has no counterpart there, such as the classifier, keeps its own name.

    Raises:
        ValueError: the file is truncated, longer than it says, or no list of arrays; one line. No
            more memory is taken than the file is long.
    """
    with path.open("rb") as file:
        arrays = _Reader(file, path).arrays()
    return {resnet38_name(name): torch.from_numpy(array) for name, array in arrays.items()}


_KINDS = {"res": "conv", "bn": "bn"}
_PARTS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
          "moving_var": "running_var", "weight": "weight"}  # fmt: skip
_BRANCH = re.compile(r"(res|bn)(\d+)(?:a|b(\d+))_(branch\w+?)_(weight|gamma|beta|moving_\w+)")
_SINGLE = re.compile(r"(conv1a|bn7)_(weight|gamma|beta|moving_\w+)")


def resnet38_name(name: str) -> str:
    """MXNet's name of a parameter as the published PyTorch one; an unknown one unchanged.

    ``arg:res4b2_branch2a_weight`` becomes ``b4_2.conv_branch2a.weight``.
    """
    plain = name.removeprefix("arg:").removeprefix("aux:")
    if found := _BRANCH.fullmatch(plain):
        kind, stage, block, branch, part = found.groups()
        where = f"b{stage}" if block is None else f"b{stage}_{block}"
        return f"{where}.{_KINDS[kind]}_{branch}.{_PARTS.get(part, part)}"
    if found := _SINGLE.fullmatch(plain):
        return f"{found[1]}.{_PARTS.get(found[2], found[2])}"
    return plain


class _Reader:
    """Reads no more than is there: every length is compared with what is left of the file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.left = path.stat().st_size

    def arrays(self) -> dict[str, np.ndarray]:
        if self.left < 24:
            raise self._error("shorter than the header of MXNet's list of arrays")
        magic, _, count = self._numbers("<3Q")
        if magic != LIST_MAGIC:
            raise self._error("not a list of arrays of MXNet (it starts with another number)")
        arrays = [self._array() for _ in self._times(count)]
        (named,) = self._numbers("<Q")
        if named != count:
            raise self._error(f"{count} arrays, but {named} names")
        names = [self._name() for _ in self._times(count)]
        if self.left:
            raise self._error(f"{self.left} bytes follow the last name")
        if len(set(names)) < len(names):
            raise self._error("a name stands twice")
        return dict(zip(names, arrays, strict=True))

    def _times(self, count: int) -> range:
        # Each entry takes at least four bytes.
        if count > self.left // 4:
            raise self._error(f"truncated: {count} entries in {self.left} bytes")
        return range(count)

    def _array(self) -> np.ndarray:
        (first,) = self._numbers("<I")
        if first == STORAGE_MAGIC:
            (storage,) = self._numbers("<i")
            if storage != 0:
                raise self._error(f"an array is sparse (storage type {storage}), expected dense")
        if first in (SHAPE64_MAGIC, STORAGE_MAGIC):
            (dimensions,) = self._numbers("<I")
            kind = "q"
        else:
            dimensions, kind = first, "I"
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise self._error(f"an array has {dimensions} dimensions")
        shape = self._numbers(f"<{dimensions}{kind}")
        if min(shape) < 0:
            raise self._error(f"an array has the shape {shape}")
        _, _, flag = self._numbers("<3i")
        if flag not in TYPES:
            raise self._error(f"an array has the unknown type {flag}")
        dtype = np.dtype(TYPES[flag]).newbyteorder("<")
        content = self._bytes(math.prod(shape) * dtype.itemsize)
        with np.errstate(over="ignore"):  # Infinite then, which no network takes.
            return np.frombuffer(content, dtype).reshape(shape).astype(np.float32)

    def _name(self) -> str:
        (length,) = self._numbers("<Q")
        if length > _LONGEST_NAME:
            raise self._error(f"a name of {length} bytes")
        try:
            return self._bytes(length).decode()
        except UnicodeDecodeError:
            raise self._error("a name is no text") from None

    def _numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _bytes(self, length: int) -> bytes:
        if length > self.left:
            raise self._error(f"truncated: {length} bytes expected, {self.left} left")
        self.left -= length
        content = self.file.read(length)
        if len(content) != length:
            raise self._error("truncated while it was read")
        return content

    def _error(self, text: str) -> ValueError:
        return ValueError(f"{self.path}: not a readable .params file: {text}")
