"""Photographs that a trained network labels per second, by threads and processes of the CRF.

    python -m benchmarks.segmenter MODEL FOLDER [--count 40] [--rounds 3]

Each setting has a process of its own, since threads are chosen once; settings take turns, and the
median of their rounds counts. What is read and scored is timed, not the start of the process.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.measure import machine
from hfpl import Segmenter
from hfpl.plugins.formats.kinds import is_photograph

SETTINGS = ((False, 1, 0), (False, 2, 0), (True, 1, 0), (True, 2, 0), (True, 1, 1), (True, 2, 1),
            (True, 1, 2), (True, 2, 2))  # fmt: skip
"""Whether the CRF follows, threads of torch, processes of the CRF."""


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    photographs = sorted(p for p in args.folder.rglob("*") if is_photograph(p.name))[: args.count]
    if args.one is not None:
        print(seconds(args.model, photographs, SETTINGS[args.one]) / len(photographs))
        return
    found = [[timed(number) for number in range(len(SETTINGS))] for _ in range(args.rounds)]
    print(f"{machine()}; {len(photographs)} photographs.\n")
    print("| CRF | threads | processes of the CRF | photographs per second |")
    print("|---|---:|---:|---:|")
    for (crf, threads, workers), taken in zip(SETTINGS, zip(*found, strict=True), strict=True):
        cells = ["yes" if crf else "no", str(threads), str(workers), f"{1 / median(taken):.1f}"]
        print(f"| {' | '.join(cells)} |")


def timed(number: int) -> float:
    """Seconds per photograph of a setting, in a new process."""
    command = [sys.executable, "-m", "benchmarks.segmenter", *sys.argv[1:], "--one", str(number)]
    return float(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def seconds(model: Path, photographs: list[Path], setting: tuple[bool, int, int]) -> float:
    """Seconds that a setting takes for all photographs."""
    crf, threads, workers = setting
    segmenter = Segmenter.load(model, crf=crf, device="cpu", threads=threads)
    list(segmenter.stream(photographs[:2], workers=workers))
    began = time.perf_counter()
    for _ in segmenter.stream(photographs, workers=workers):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
