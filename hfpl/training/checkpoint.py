"""Checkpoints: where an interrupted training goes on, to the same final weights."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hfpl.storage.tensors import load_tensors, save_tensors


@dataclass
class Checkpoint:
    """A training's checkpoint file.

    Attributes:
        path: the file; no output of a rule, removed when the training ends.
        digest: of parameters, code and inputs. A checkpoint of another digest is not used.
    """

    path: Path
    digest: str

    def save(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, progress: dict[str, Any]
    ) -> None:
        """Write the state after a step. ``progress`` is JSON: the step and the history."""
        tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
        for index, values in optimiser.state_dict()["state"].items():
            for name, value in values.items():
                tensors[f"optimiser.{index}.{name}"] = torch.as_tensor(value)
        text = {"digest": self.digest, "progress": json.dumps(progress)}
        save_tensors(self.path, tensors, text)

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
        """Restore the state; its progress, or None where no checkpoint fits this training."""
        if not self.path.exists():
            return None
        try:
            tensors, text = load_tensors(self.path)
        except ValueError:
            return None  # Half written by a kill: as good as none.
        if text.get("digest") != self.digest:
            return None
        network.load_state_dict(_part(tensors, "network."))
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _part(tensors, "optimiser.").items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = value
        whole = optimiser.state_dict()
        optimiser.load_state_dict({**whole, "state": state})
        return json.loads(text["progress"])

    def remove(self) -> None:
        """Forget the checkpoint."""
        self.path.unlink(missing_ok=True)


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
