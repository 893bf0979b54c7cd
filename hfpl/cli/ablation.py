"""``hfpl ablation``: keep what a finished run scored, compare runs."""

import argparse
from pathlib import Path

from hfpl.cli.job import params_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl ablation``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    row = actions.add_parser("row", help="keep the row of a finished run")
    row.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters"
    )
    row.add_argument("--variant", required=True, metavar="NAME", help="name of the run")
    row.add_argument("--key", required=True, help="digest of all that the run's scores depend on")
    _add_file(row, "scores", "its table of scores, or that of its CAMs (.json)")
    _add_file(row, "model", "its CAM network, for the device it was trained on")
    row.add_argument(
        "--run",
        type=Path,
        required=True,
        dest="folder",
        metavar="FOLDER",
        help="of the run: its jobs' benchmarks tell the time they took",
    )
    _add_file(row, "rows", "rows of the comparison, to add it to (.csv)")
    _add_file(row, "row", "the same row by itself (.json)")
    row.set_defaults(run=_row)

    table = actions.add_parser("table", help="compare runs by their rows")
    _add_file(table, "rows", "rows of comparisons (.csv)", nargs="+")
    table.add_argument("--keys", nargs="+", help="the runs to compare (default: all)")
    for kind, ending in (("json", "json"), ("csv", "csv"), ("markdown", "md"), ("figure", "png")):
        _add_file(table, kind, f"comparison to write (.{ending})")
    table.add_argument("--remark", default="", help="stands above the tables")
    table.set_defaults(run=_table)
    for action in (row, table):
        action.add_argument("--log", type=Path, metavar="FILE", help="append messages to this file")


def _add_file(parser: argparse.ArgumentParser, name: str, text: str, **more: object) -> None:
    parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=text, **more)


def _row(args: argparse.Namespace) -> str:
    from hfpl.ablation.rows import add_row, make_row
    from hfpl.storage.atomic import write_json
    from hfpl.storage.tensors import load_tensors

    params = params_of(args.params, args.variant)
    _, facts = load_tensors(args.model)
    if "device" not in facts:
        raise ValueError(f"{args.model}: does not say what device it was trained on")
    benchmarks = sorted(args.folder.glob("*/logs/*.tsv"))
    row = make_row(params, args.variant, args.key, args.scores, facts["device"], benchmarks)
    add_row(args.rows, row)
    write_json(args.row, row)
    return f"row of {args.variant}"


def _table(args: argparse.Namespace) -> str:
    from hfpl.ablation.compare import compare
    from hfpl.ablation.figure import comparison_figure
    from hfpl.ablation.rows import read_rows
    from hfpl.ablation.tables import as_csv, as_markdown, facts_of
    from hfpl.stages.report.plots import plot_style, save_figure
    from hfpl.storage.atomic import write_json, write_text

    known = {row["key"]: row for row in read_rows(args.rows)}
    lost = [key for key in args.keys or [] if key not in known]
    if lost:
        raise ValueError(f"{args.rows[0]}: has no row of the run {lost[0]}; restore it")
    runs = [known[key] for key in args.keys or known]
    if not runs:
        raise ValueError(f"{args.rows[0]}: holds no run; 'snakemake ablation' makes them")
    rows = compare(runs)
    write_json(args.json, {"rows": rows})
    write_text(args.csv, as_csv(rows))
    write_text(args.markdown, as_markdown(rows, "val", [facts_of(runs), args.remark]))
    with plot_style():
        title = f"{runs[0]['dataset']}: methods with and without the added losses"
        save_figure(comparison_figure(rows, "val", title), args.figure)
    return f"{len(runs)} runs compared"
