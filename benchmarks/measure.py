"""Time and peak memory of both sides of a comparison.

Both run in turn in one process, so that whatever else the machine does meets both; the ratio of a
pair counts. Peak memory is measured in a fresh process each. AssertionError where results differ.
"""

import ctypes
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.comparison import Comparison
from benchmarks.steps import comparisons
from hfpl.jobs.runtime import set_up

_LEAST_SECONDS = 0.05
"""What is faster is called again and again for this long."""


@dataclass(frozen=True)
class Measured:
    """What a comparison took.

    Attributes:
        plain, fast: seconds per call, one for each pair; plain is empty where it cannot run.
        plain_peak, fast_peak: bytes above what stood before the call; None where the system does
            not tell, or where plain cannot run.
    """

    plain: list[float]
    fast: list[float]
    plain_peak: int | None
    fast_peak: int | None

    @property
    def ratios(self) -> list[float]:
        """How many times faster, of each pair."""
        return [plain / fast for plain, fast in zip(self.plain, self.fast, strict=True)]

    @property
    def lighter(self) -> float | None:
        """How many times less memory; at least a page is counted."""
        if self.plain_peak is None or self.fast_peak is None:
            return None
        return self.plain_peak / max(self.fast_peak, 4096)


def measure(module: str, index: int, pairs: int) -> Measured:
    """Measure a comparison of a module of :mod:`benchmarks.steps`."""
    plain, fast = in_new_process(paired_seconds, module, index, pairs)
    comparison = comparisons(module)[index]
    peaks = [
        in_new_process(peak_memory, module, index, side)
        if comparison.alone and getattr(comparison, side)
        else None
        for side in ("plain", "fast")
    ]
    return Measured(plain, fast, *peaks)


def paired_seconds(module: str, index: int, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds per call of plain and fast, in turn; also checks their results."""
    comparison, arguments = _ready(module, index)
    if comparison.plain is None:
        comparison.fast(*arguments)
        return [], [_seconds(comparison.fast, arguments)[0] for _ in range(pairs)]
    plain, fast = [], []
    for pair in range(pairs):
        seconds, expected = _seconds(comparison.plain, arguments)
        plain.append(seconds)
        seconds, found = _seconds(comparison.fast, arguments)
        fast.append(seconds)
        if pair == 0:
            comparison.check(expected, found)
    return plain, fast


def peak_memory(module: str, index: int, side: str) -> int | None:
    """Bytes that one call takes at most above what the process held before."""
    comparison, arguments = _ready(module, index)
    before = reset_peak()
    result = getattr(comparison, side)(*arguments)
    peak = resident("VmHWM")
    del result
    return None if before is None or peak is None else peak - before


def machine() -> str:
    """The machine in words."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__}, {_threads()} threads"


def median_and_least(values: list[float]) -> tuple[float, float]:
    """Of the ratios of all pairs."""
    return statistics.median(values), min(values)


def _ready(module: str, index: int) -> tuple[Comparison, tuple]:
    """A comparison and its inputs; both sides have run once on small ones."""
    set_up("cpu", _threads())
    comparison = comparisons(module)[index]
    small = comparison.prepare(True)
    for side in filter(None, (comparison.plain, comparison.fast)):
        side(*small)
    return comparison, comparison.prepare(False)


def _threads() -> int:
    return os.cpu_count() or 1


def _seconds(function: Callable[..., Any], arguments: tuple) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments)
    once = time.perf_counter() - start
    calls = max(1, math.ceil(_LEAST_SECONDS / once))
    if calls == 1:
        return once, result
    start = time.perf_counter()
    for _ in range(calls):
        function(*arguments)
    return (time.perf_counter() - start) / calls, result


def reset_peak() -> int | None:
    """Forget the peak so far; what the process holds now. Linux alone."""
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # Memory that is free already would not be counted.
        library.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return resident("VmRSS")


def resident(name: str) -> int | None:
    """Bytes of this process that the system counts as ``VmRSS`` or ``VmHWM``."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function of a module gives in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
