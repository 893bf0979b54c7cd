"""``hfpl evaluate show``: tables of scores on the terminal."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl evaluate show``."""
    parser.add_argument("tables", type=Path, nargs="+", help="table.json of a run")
    parser.set_defaults(run=_show)


def _show(args: argparse.Namespace) -> None:
    from hfpl.stages.evaluate.table import read_rows, table_as_text

    for table in args.tables:
        rows = read_rows(table)
        named = f"{rows[0]['dataset']}, variant {rows[0]['variant']} " if rows else ""
        print(f"\n{named}({table})")
        print(table_as_text(rows))
