"""``hfpl clean``: show what no commit and no parameter refers to, and remove it if asked."""

import argparse
from pathlib import Path


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
    from hfpl.versioning.command import PARAMS
    from hfpl.versioning.facts import planned_outputs

    planned = planned_outputs(["--config", f"results={args.results}"])
    with no_run_at_work():
        found = find_leftovers(
            args.results,
            load_params(PARAMS),
            (output.path for output in planned),
            committed_results(),
        )
        for leftover in found:
            print(f"{human(leftover.size):>9}  {leftover.path}  ({leftover.why})")
        total = f"{len(found)} leftovers, {human(sum(f.size for f in found))}"
        if not args.yes:
            return f"{total}: nothing removed; --yes removes them" if found else "nothing left over"
        remove(found)
    return f"{total} removed"
