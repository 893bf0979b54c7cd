"""Attack the commands, and count: ``make attack``.

Bad parameter files, archives, images and tag lists, and runs that are killed. Each try must end
well: taken, or refused in one line with an exit status. Prints a table, and exits 1 if anything
else happened: a traceback, several lines, a result that was lost or is another one.
"""

import argparse
import contextlib
import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hfpl.cli import main as run_command
from hfpl.jobs.progress import track
from scripts.attack import files, kills

Case = Callable[[random.Random, Path], list[str]]
"""Writes bad input into an empty folder; the command to give it to."""
CASES: dict[str, Case] = {
    "parameter files": files.parameters,
    "archives of results": files.shard,
    "models": files.model,
    "images": files.images,
    "masks": files.masks,
    "tag lists": files.tags,
    "annotations": files.annotations,
}


def outcome(command: Sequence[str]) -> str:
    """How a command ended: ``taken``, ``one line``, or what went wrong."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = run_command(list(command))
    except SystemExit as error:
        status = error.code
    except Exception as error:
        return f"traceback: {type(error).__name__}: {error}"[:200]
    errors = [line for line in said.getvalue().splitlines() if "error: " in line]
    if not status:
        return "taken"
    return "one line" if len(errors) == 1 and status == 1 else f"status {status}: {errors}"[:200]


def attack(name: str, number: int, seed: int) -> Counter[str]:
    """Outcomes of a number of tries of one kind."""
    found: Counter[str] = Counter()
    with track(f"attack {name}", number, "tries") as advance:
        for k in range(number):
            with tempfile.TemporaryDirectory() as folder:
                command = CASES[name](random.Random(f"{name} {seed} {k}"), Path(folder))
                end = outcome(command)
            found[end] += 1
            if end not in ("taken", "one line"):
                print(f"{name}, try {k}: {end}", file=sys.stderr, flush=True)
            advance()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.attack", description=__doc__)
    parser.add_argument("--tries", type=int, default=300, help="of each kind of file")
    parser.add_argument("--kills", type=int, default=12, help="of runs of the preset micro")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(CASES), nargs="+", default=list(CASES))
    args = parser.parse_args(arguments)
    began, bad = time.monotonic(), 0
    print("| attacked | tries | taken | refused in one line | else |")
    print("|---|---:|---:|---:|---:|")
    for name in args.only:
        found = attack(name, args.tries, args.seed)
        other = args.tries - found["taken"] - found["one line"]
        bad += other
        print(f"| {name} | {args.tries} | {found['taken']} | {found['one line']} | {other} |")
    if args.kills:
        fell, lost = kills.attack(args.kills, args.seed)
        bad += lost
        print(f"\n{args.kills} kills, during: " + ", ".join(f"{k} {n}" for k, n in fell.items()))
        print(f"Afterwards {lost} results are lost or other ones.")
    print(f"\n{time.monotonic() - began:.0f} s, seed {args.seed}.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
