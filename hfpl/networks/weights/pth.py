"""Weights in a file of torch.save, without running anything that the file holds."""

import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DEPTH = 5
"""Mappings within mappings that are looked into."""


def read_pth(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name, those of mappings within it by the keys on the way to them:
    ``state_dict.model.conv1.weight``. Which part of a name belongs to the network, the network
    tells (:func:`hfpl.networks.weights.match.prefix_of`).

    Both formats of torch.save are read, the zip file and the older stream.

    Raises:
        ValueError: the file is truncated, no file of torch.save, or holds something else than
            tensors; one line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files of other versions of pickle
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A broken file makes torch's reader fail in any way.
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise ValueError(
                f"{path}: holds Python objects, which may run code when they are read; save the "
                "network's state_dict() alone"
            ) from None
        raise ValueError(f"{path}: not a readable file of torch.save; is it truncated?") from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected named tensors, found {type(content).__name__}")
    return dict(_tensors(content, "", _DEPTH))


def _tensors(content: Mapping[Any, Any], prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    for key, value in content.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping) and depth:
            yield from _tensors(value, f"{prefix}{key}.", depth - 1)
