"""Weights in a file of torch.save, without running anything that the file holds."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

WRAPPERS = ("state_dict", "model", "model_state_dict", "network", "net")
"""Keys below which trainings keep the weights, beside their optimiser's state and the like."""


def read_pth(path: Path) -> dict[str, Tensor]:
    """Named tensors of a state dict, bare or below one of :data:`WRAPPERS`.

    The prefix ``module.`` of torch's DataParallel is dropped. Both formats of torch.save are read,
    the zip file and the older stream.

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
    return {name.removeprefix("module."): t for name, t in _tensors(content, path).items()}


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The entries that are tensors; those of a wrapped state dict where there is one."""
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: expected named tensors, found {type(content).__name__}")
    return {str(name): t for name, t in content.items() if isinstance(t, Tensor)}
