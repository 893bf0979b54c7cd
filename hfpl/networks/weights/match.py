"""Load weights into a network by name, and say what matched."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from hfpl.networks.weights.reading import read_weights

_PREFIX = "backbone."
"""Stands before the backbone's names in our networks and in some published ones, not in all."""
_COUNTER = "num_batches_tracked"
_NAMED = 4


@dataclass(frozen=True)
class Match:
    """What became of a network's and a file's tensors, by the network's or else the file's name.

    Attributes:
        loaded: as in the file now.
        missing: of the network, not in the file; they keep their random start.
        reshaped: of the network, in the file with another shape; they keep their random start.
        unused: of the file, not in the network.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    unused: tuple[str, ...]

    def lines(self, path: str | Path) -> list[str]:
        """The report: a line, and one more for each kind of tensor that stays random."""
        kinds = {
            "not in the file, random": self.missing,
            "of another shape in the file, random": self.reshaped,
        }
        rest = f", {len(self.unused)} not needed: {_some(self.unused)}" if self.unused else ""
        return [
            f"{path}: {len(self.loaded)} tensors loaded{rest}",
            *(f"  {len(names)} {kind}: {_some(names)}" for kind, names in kinds.items() if names),
        ]


def load_weights(path: str | Path, network: nn.Module, heads: bool = True) -> Match:
    """Load a file's tensors into a network in place, by name.

    Args:
        path: file of any format that :mod:`hfpl.networks.weights.reading` knows, with anything
            before its names, and with or without ``backbone.`` before the backbone's.
        network: a backbone, or a network with a child ``backbone``.
        heads: also load what stands on the backbone, where name and shape agree (a classifier of
            other classes does not); if not, the file's heads count as unused.

    Raises:
        ValueError: the file cannot be read, or a tensor of the backbone is missing in it, of
            another shape or not finite: a network in part random is no start. One line.
    """
    every = read_weights(path)
    own = network.state_dict()
    if not heads:
        own = {name: t for name, t in own.items() if name.startswith(_PREFIX)}
    inner = getattr(getattr(network, "backbone", network), "weights_prefix", "")
    plain = {name.removeprefix(_PREFIX): name for name in own}
    if inner:
        # Both spellings: files of the network's authors, and those that this project writes.
        plain |= {name.removeprefix(inner): own_name for name, own_name in plain.items()}
    prefix = prefix_of(every, plain)
    tensors = {n.removeprefix(prefix): t for n, t in every.items() if n.startswith(prefix)}
    found = {plain[key]: name for name in tensors if (key := name.removeprefix(_PREFIX)) in plain}
    for name, theirs in found.items():
        _check_kind(path, name, tensors[theirs], own[name])
    fits = {name for name, theirs in found.items() if tensors[theirs].shape == own[name].shape}
    match = Match(
        loaded=tuple(n for n in own if n in fits),
        # Files older than this counter lack it; nothing is computed from it here.
        missing=tuple(n for n in own if n not in found and not n.endswith(_COUNTER)),
        reshaped=tuple(n for n in own if n in found and n not in fits),
        unused=tuple(n for n in tensors if n not in found.values()),
    )
    loaded = {name: tensors[found[name]] for name in match.loaded}
    _check(path, match, loaded, own, {n: tensors[found[n]] for n in match.reshaped})
    network.load_state_dict(loaded, strict=False)
    return match


def prefix_of(names: Iterable[str], wanted: Container[str]) -> str:
    """What stands before most of the wanted names: of wrappers of trainings, ``module.`` of
    DataParallel, ``_orig_mod.`` of torch.compile, ``model.`` of Lightning.

    The shortest of several, and of those the first: ``model.`` before ``model_ema.``.
    """
    counts: dict[str, int] = {}
    for name in names:
        start = 0
        while start >= 0:
            if name[start:].removeprefix(_PREFIX) in wanted:
                counts[name[:start]] = counts.get(name[:start], 0) + 1
            start = name.find(".", start) + 1 or -1
    most = max(counts.values(), default=0)
    fitting = [prefix for prefix, count in counts.items() if count == most]
    return min(fitting, key=len, default="")


def _check(
    path: str | Path,
    match: Match,
    loaded: dict[str, Tensor],
    own: dict[str, Tensor],
    reshaped: dict[str, Tensor],
) -> None:
    """Refuse a file that leaves a part of the backbone random, or that is broken."""
    # A bare backbone has no prefix at all.
    bare = not any(name.startswith(_PREFIX) for name in own)
    backbone = [n for n in own if bare or n.startswith(_PREFIX)]
    wanted = sum(not n.endswith(_COUNTER) for n in backbone)
    fitting = sum(n in loaded and not n.endswith(_COUNTER) for n in backbone)
    for name in backbone:
        if name in match.missing:
            reason = f"'{name}' is missing"
        elif name in reshaped:
            shapes = tuple(reshaped[name].shape), tuple(own[name].shape)
            reason = f"'{name}' has shape {shapes[0]}, the network expects {shapes[1]}"
        else:
            continue
        # Where no name fits, the names say what the file is of.
        seen = f"; it has {_some(match.unused)}" if not fitting and match.unused else ""
        raise ValueError(
            f"{path}: holds {fitting} of the backbone's {wanted} tensors (tensor {reason}{seen}); "
            "does it belong to another backbone, or to one with other options?"
        )
    for name, tensor in loaded.items():
        # As the network will hold it: a float64 may exceed what float32 holds.
        if not torch.isfinite(tensor.to(own[name].dtype)).all():
            raise ValueError(f"{path}: tensor '{name}' holds values that are not finite")


def _check_kind(path: str | Path, name: str, tensor: Tensor, own: Tensor) -> None:
    """Refuse what has no real numbers in memory, one for each of the tensor's."""
    held = tensor.layout == torch.strided and tensor.device.type != "meta"
    plain = held and not (tensor.is_nested or tensor.is_complex() or tensor.is_quantized)
    if not plain or (own.is_floating_point() and not tensor.is_floating_point()):
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
        raise ValueError(
            f"{path}: tensor '{name}' is of a kind that cannot be loaded ({kind}); save the "
            "network's weights as plain floating-point tensors"
        )


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown}, … and {len(names) - _NAMED} more"
