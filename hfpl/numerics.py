"""Seeds and number formats: what results depend on beside parameters and inputs."""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Runtime:
    """Device and number formats of a job.

    On a GPU, networks run under bfloat16 autocast; on CPU everything is float32, and results
    are equal to the byte for an equal number of threads.
    """

    device: torch.device
    workers: int

    def autocast(self):  # noqa: ANN201 - a context manager of either kind
        """Context in which networks run."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()


def derived_seed(*parts: int | str) -> int:
    """A seed in [0, 2^63) from any parts; different parts give unrelated seeds."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_torch(*parts: int | str) -> None:
    """Set torch's random state, on every device, from parts."""
    torch.manual_seed(derived_seed(*parts))


def generator(*parts: int | str) -> np.random.Generator:
    """NumPy's generator for parts, independent of every other."""
    return np.random.default_rng(derived_seed(*parts))
