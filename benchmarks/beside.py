"""A training step of the demo beside other work, by how a thread waits for the others.

    python -m benchmarks.beside [--steps 20]

Other work: processes that keep a core busy, none to one for each core. A thread of OpenMP that has
nothing to do keeps its core busy for a while unless OMP_WAIT_POLICY=passive. Each setting has a
process of its own, since OpenMP reads the variable once.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from ruamel.yaml import YAML

from benchmarks.measure import machine
from benchmarks.step_profile import seconds
from benchmarks.training_step import Step
from hfpl.jobs.runtime import set_up
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text

BUSY = [sys.executable, "-c", "while True: pass"]
WAITING = ("", "passive")


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--alone", action="store_true", help="time one setting, print seconds")
    args = parser.parse_args()
    if args.alone:
        print(one_step(args.steps))
        return
    print(f"{machine()}\n")
    print("| other processes | seconds per step | `OMP_WAIT_POLICY=passive` |")
    print("|---:|---:|---:|")
    for others in range((os.cpu_count() or 1) + 1):
        with busy(others):
            cells = [in_setting(args.steps, waiting) for waiting in WAITING]
        print(f"| {others} | {' | '.join(f'{value:.2f}' for value in cells)} |", flush=True)


def one_step(steps: int) -> float:
    """Median seconds of a step on all cores."""
    device = set_up("cpu", threads=os.cpu_count()).device
    params = validate_params(YAML(typ="safe").load(preset_text("demo")))
    cam, classes = params.cam, params.datasets["shapes"].classes
    step = Step(params, classes, cam.batch, cam.augmentation.crop, device, None)
    return median(seconds(step.whole, steps))


def in_setting(steps: int, waiting: str) -> float:
    """The same in a new process."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if waiting:
        environment["OMP_WAIT_POLICY"] = waiting
    command = [sys.executable, "-m", "benchmarks.beside", "--alone", "--steps", str(steps)]
    return float(subprocess.check_output(command, env=environment, text=True))


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Other work while the block runs."""
    others = [subprocess.Popen(BUSY) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
