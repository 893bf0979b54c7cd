"""Print the parity table; exit 1 where a comparison fails."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hfpl.jobs.progress import track
from scripts.parity.table import STEPS, compare, format_table, read_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare a reference folder's files; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.parity", description=__doc__)
    parser.add_argument("--reference", type=Path, default=Path("tests/reference"), metavar="DIR")
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help=f"some of {', '.join(STEPS)} (default: all)"
    )
    args = parser.parse_args(arguments)
    names = args.files or list(STEPS)
    for name in names:
        if name not in STEPS:
            parser.error(f"unknown file '{name}'; choose from {', '.join(STEPS)}")
    try:
        folder = read_folder(args.reference, names)
    except ValueError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 1
    rows = {}
    with track("parity", len(names), "files") as advance:
        for name in names:
            rows[name] = compare(name, folder[name])
            advance()
    print(format_table(rows))
    results = [row.passed for comparisons in rows.values() for row in comparisons]
    print(f"{sum(results)} of {len(results)} comparisons pass")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
