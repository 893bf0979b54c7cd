"""``hfpl ablation``: keep what a finished run scored, compare runs."""

import argparse
from pathlib import Path

from hfpl.cli.job import add_params, read_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl ablation``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    row = actions.add_parser("row", help="write the row of a finished run")
    add_params(row, "cam_train", variant=True)
    row.add_argument("--digest", required=True, help="of all that the run's scores depend on")
    add_file(row, "scores", "its table of scores, or that of its CAMs (.json)")
    add_file(row, "model", "its CAM network, for the device it was trained on")
    row.add_argument(
        "--logs", type=Path, nargs="*", default=[], metavar="FILE", help="benchmark files (.tsv)"
    )
    add_file(row, "row", "row to write (.json)")
    row.set_defaults(run=_row)

    table = actions.add_parser("table", help="compare runs by their rows")
    add_file(table, "rows", "rows of runs (.json)", nargs="+")
    for kind, ending in (("json", "json"), ("csv", "csv"), ("markdown", "md"), ("figure", "png")):
        add_file(table, kind, f"comparison to write (.{ending})")
    table.add_argument("--remark", default="", help="stands above the tables")
    table.add_argument("--log", type=Path, metavar="FILE", help="append messages to this file")
    table.set_defaults(run=_table)


def _row(args: argparse.Namespace) -> str:
    from hfpl.ablation.rows import write_row
    from hfpl.storage.tensors import load_tensors

    params = read_params(args)
    run = args.variant or params.variant
    _, facts = load_tensors(args.model)
    if "device" not in facts:
        raise ValueError(f"{args.model}: does not say what device it was trained on")
    write_row(params, run, args.digest, args.scores, facts["device"], args.logs, args.row)
    return f"row of {run}"


def _table(args: argparse.Namespace) -> str:
    from hfpl.ablation.compare import compare
    from hfpl.ablation.figure import comparison_figure
    from hfpl.ablation.rows import read_rows
    from hfpl.ablation.tables import as_csv, as_markdown, facts_of
    from hfpl.stages.report.plots import plot_style, save_figure
    from hfpl.storage.atomic import write_json, write_text

    runs = read_rows(args.rows)
    rows = compare(runs)
    write_json(args.json, {"rows": rows})
    write_text(args.csv, as_csv(rows))
    write_text(args.markdown, as_markdown(rows, "val", [facts_of(runs), args.remark]))
    with plot_style():
        title = f"{runs[0]['dataset']}: methods with and without the added losses"
        save_figure(comparison_figure(rows, "val", title), args.figure)
    return f"{len(runs)} runs compared"
