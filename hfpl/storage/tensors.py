"""Tensors in safetensors files: equal tensors give equal bytes, and nothing is executed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hfpl.storage.atomic import replacing


def save_tensors(
    path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any] | None = None
) -> None:
    """Write named tensors (any device, any strides) and metadata, any JSON."""
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    with replacing(path) as temporary:
        # One entry: safetensors writes several in any order.
        entry = {"metadata": json.dumps(metadata, sort_keys=True)} if metadata else None
        temporary.touch()  # with the rights of any new file; safetensors makes private ones
        mode = temporary.stat().st_mode
        save_file(plain, temporary, entry)
        temporary.chmod(mode)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read named tensors onto the CPU, and the metadata.

    Raises:
        ValueError: the file is missing, truncated or no safetensors file; the message names it.
    """
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, json.loads((file.metadata() or {}).get("metadata", "{}"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not a readable safetensors file: {error}") from None


def save_network(
    path: str | Path, network: nn.Module, metadata: dict[str, Any] | None = None
) -> None:
    """Write a network's state and metadata, any JSON."""
    save_tensors(path, network.state_dict(), metadata)


def load_network(path: str | Path, network: nn.Module) -> None:
    """Read a network's state in place.

    Raises:
        ValueError: unreadable file, or tensors that do not fit the network; one line.
    """
    tensors, _ = load_tensors(path)
    fit_tensors(path, tensors, network)
    network.load_state_dict(tensors)


def fit_tensors(path: str | Path, tensors: Mapping[str, Tensor], network: nn.Module) -> None:
    """Check that tensors of a file are those of a network, which may lie on the device ``meta``.

    Raises:
        ValueError: they are not; one line.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise ValueError(f"{path}: tensor '{name}' is missing; it belongs to another network")
        if name not in expected:
            raise ValueError(f"{path}: tensor '{name}' is unknown; it belongs to another network")
        if tensors[name].shape != expected[name].shape:
            raise ValueError(
                f"{path}: tensor '{name}' has shape {tuple(tensors[name].shape)}, the network "
                f"expects {tuple(expected[name].shape)}; were the parameters changed since?"
            )
