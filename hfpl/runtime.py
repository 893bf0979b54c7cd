"""Where the work runs: device, threads, number formats and seeds. Nothing here is a parameter."""

import hashlib
import platform
from contextlib import nullcontext
from dataclasses import dataclass

import cv2
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


def device_name(device: torch.device) -> str:
    """What a device is called in results: a GPU's model, or the kind of CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}"


def set_up(device: str = "auto", threads: int | None = None, workers: int = 0) -> Runtime:
    """Choose the device and fix the number of threads of this process.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:<n>``.
        threads: of torch's operators; None leaves torch's choice.
        workers: processes that load images beside the main one.

    Raises:
        ValueError: the device is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"--device {device}: expected auto, cpu, cuda or cuda:<n>") from None
    if chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {device}: expected auto, cpu, cuda or cuda:<n>")
    if threads is not None and threads < 1:
        raise ValueError(f"--threads {threads}: expected at least 1")
    if workers < 0:
        raise ValueError(f"--workers {workers}: expected at least 0")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {device}: torch finds no CUDA device; use --device cpu")
    if threads:
        torch.set_num_threads(threads)
    # OpenCV's own threads would compete with torch's and with the loader's processes.
    cv2.setNumThreads(0)
    return Runtime(chosen, workers)


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
