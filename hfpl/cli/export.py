"""``hfpl export``: unpack a shard into PNG files that any program opens."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl export``."""
    parser.add_argument("shards", type=Path, nargs="+", help="shards (.zip) of masks or scores")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder to write to: <image>.png, a label map or the scores below each other; "
        "classes.csv, the labels' names",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.storage.export import export_shards

    files = export_shards(args.shards, args.out)
    return f"{files} files written to {args.out}"
