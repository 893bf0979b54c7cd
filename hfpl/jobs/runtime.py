"""Where the work runs: device, threads and memory. Nothing here is a parameter."""

import ctypes
import os
import platform

import cv2
import torch

from hfpl.distributed.process import local_rank, local_world_size
from hfpl.numerics import Runtime


def device_name(device: torch.device) -> str:
    """What a device is called in results: a GPU's model, or the kind of CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}"


_MOST_WORKERS = 8
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's options, from its malloc.h."""


def set_up(device: str = "auto", threads: int | None = None, workers: int | None = None) -> Runtime:
    """Choose the device, fix the number of threads of this process and let it keep its memory.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:<n>``. Of several
            processes on a machine, each takes the GPU of its number.
        threads: of torch's operators; None leaves torch's choice.
        workers: processes that load images beside the main one; None: one for each core that the
            threads leave free, at most 8, and on a GPU at least one. On a CPU without a free core
            the main process loads: each of its operators would wait for the thread that a loader
            has taken the core from, and a step takes longer than loading and computing in turn.

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
    if workers is not None and workers < 0:
        raise ValueError(f"--workers {workers}: expected at least 0")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {device}: torch finds no CUDA device; use --device cpu")
    if chosen.type == "cuda" and local_world_size() > 1:
        if local_world_size() > torch.cuda.device_count():
            raise ValueError(
                f"{local_world_size()} processes need as many GPUs, torch finds "
                f"{torch.cuda.device_count()}; start fewer, or use --device cpu"
            )
        chosen = torch.device("cuda", local_rank())
        torch.cuda.set_device(chosen)
    if threads:
        torch.set_num_threads(threads)
    # OpenCV's own threads would compete with torch's and with the loader's processes.
    cv2.setNumThreads(0)
    _keep_freed_memory()
    if workers is None:
        busy = torch.get_num_threads() if chosen.type == "cpu" else 1
        free = _cores() // local_world_size() - busy
        workers = max(int(chosen.type == "cuda"), min(_MOST_WORKERS, free))
    return Runtime(chosen, max(0, workers))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _keep_freed_memory() -> None:
    """Have the C library use freed memory again in place of giving it back to the system.

    Every step asks for the same tensors, and memory that is new to a process is zeroed a page at a
    time: thousands of page faults in a step. Where sizes differ from image to image, pieces stay
    that nothing fits into: 0.7 GB after 20 photographs are 1.1 after 96 and 1.2 after 250. Giving
    memory back after each image halves that, and takes 1.6 times as long.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # of glibc
        for option in _TRIM_THRESHOLD, _MMAP_THRESHOLD:
            library.mallopt(option, 2**31 - 1)
