"""``hfpl clean``: show what no commit and no parameter refers to, and remove it if asked."""

import argparse
from pathlib import Path

from hfpl.cli.dvc import PARAMS


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
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.alone import no_run_at_work
    from hfpl.jobs.sizes import human
    from hfpl.params import load_params
    from hfpl.versioning.clean import committed_results, find_leftovers, remove
    from hfpl.versioning.declare import results_of
    from hfpl.versioning.memory import Memory

    params = load_params(PARAMS)
    with no_run_at_work():
        found = find_leftovers(
            args.results,
            params,
            (path for path, _ in results_of(params, str(args.results))),
            committed_results(),
        )
        for leftover in found:
            print(f"{human(leftover.size):>9}  {leftover.path}  ({leftover.why})")
        total = f"{len(found)} leftovers, {human(sum(f.size for f in found))}"
        if not args.yes:
            return f"{total}: nothing removed; --yes removes them" if found else "nothing left over"
        remove(found, Memory().forget)
    return f"{total} removed"
