"""``hfpl clean``: show what no commit and no parameter refers to, and remove it if asked."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hfpl.cli.dvc import PARAMS

if TYPE_CHECKING:
    from hfpl.versioning.clean import Leftover


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl clean``."""
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="folder of all results (default: results)",
    )
    parser.add_argument("--yes", action="store_true", help="remove it; without, it is shown alone")
    parser.add_argument(
        "--without-git",
        action="store_true",
        help="take it that no commit refers to any result; without, git is asked",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.alone import no_run_at_work
    from hfpl.jobs.sizes import human
    from hfpl.params import load_params
    from hfpl.versioning.clean import find_leftovers, remove
    from hfpl.versioning.commits import committed_results
    from hfpl.versioning.declare import results_of
    from hfpl.versioning.memory import Memory

    params = load_params(PARAMS)
    with no_run_at_work():
        memory = Memory()
        found = find_leftovers(
            args.results,
            params,
            (path for path, _ in results_of(params, str(args.results))),
            set() if args.without_git else committed_results(),
            memory.read,
        )
        gone = [leftover for leftover in found if leftover.files]
        for leftover in gone:
            print(f"{human(leftover.size):>9}  {leftover.path}  ({leftover.why})")
        for leftover in found:
            if leftover.others:
                print(f"     left  {_others(leftover)}")
        total = f"{len(gone)} leftovers, {human(sum(f.size for f in gone))}"
        if not args.yes:
            return f"{total}: nothing removed; --yes removes them" if gone else "nothing left over"
        remove(gone, memory.forget)
    return f"{total} removed"


def _others(leftover: "Leftover") -> str:
    first, number = leftover.others[0], len(leftover.others)
    more = f" and {number - 1} more below {leftover.path}" if number > 1 else ""
    return f"{first}{more}  ({leftover.why}, and no record says that it was made here)"
