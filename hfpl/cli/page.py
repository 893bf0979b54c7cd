"""``hfpl review page``: a page of your own photographs, their labels and what is suspicious."""

import argparse
from pathlib import Path

from hfpl.cli.job import params_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl review page``."""
    parser.description = (
        "Write a folder with a page that a browser opens from the disk: every photograph with its "
        "labels over it, those first that a person should look at."
    )
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="folder of the results (default: results)",
    )
    parser.add_argument("--variant", metavar="NAME", help="default: the one of the parameters")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("review"),
        metavar="FOLDER",
        help="folder to write to; not there yet, or an earlier page (default: review)",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=480,
        metavar="PIXELS",
        help="longer side of a photograph on the page (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.stages.review.page import write_page

    if not 64 <= args.size <= 2048:
        raise ValueError(f"--size {args.size}: expected 64 to 2048")
    params = params_of(args.params, args.variant)
    number = write_page(params, args.results, args.out, args.size)
    return f"{number} photographs; open {args.out / 'index.html'}"
