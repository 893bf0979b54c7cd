"""``hfpl evaluate``: score every stage's results, join the scores, show them."""

import argparse
from pathlib import Path

from hfpl.options import add_file, add_images, add_params, read_params
from hfpl.storage.manifest import SPLITS

_NOT_SCORED = "not scored: no image has a ground truth"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl evaluate``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    cams = actions.add_parser("cams", help="score CAMs: threshold curve and two thresholds")
    add_params(cams, "evaluate_cam", variant=True)
    _add_truth(cams)
    add_file(cams, "results", "shards of CAMs, all splits", nargs="+")
    cams.set_defaults(run=_cams)

    masks = actions.add_parser("masks", help="score label maps, or the best class of scores")
    add_params(masks, "evaluate_masks")
    _add_truth(masks)
    add_file(masks, "results", "shards of label maps or scores, all splits", nargs="+")
    masks.add_argument("--scores", action="store_true", help="the shards hold scores")
    masks.add_argument("--stage", required=True, help="stage named in the table")
    masks.add_argument("--post-processing", default="none", help="named in the table")
    masks.set_defaults(run=_masks)

    table = actions.add_parser("table", help="join the scores of all stages")
    add_params(table, "evaluate", variant=True)
    add_file(table, "parts", "scores of the stages, in their order", nargs="+")
    add_file(table, "json", "table to write (.json)")
    add_file(table, "csv", "table to write (.csv)")
    add_file(table, "metrics", "its means to write, for 'dvc metrics' (.json)")
    table.set_defaults(run=_table)

    show = actions.add_parser("show", help="print tables")
    show.add_argument("tables", type=Path, nargs="+", help="table.json of a run")
    show.set_defaults(run=_show)


def _add_truth(parser: argparse.ArgumentParser) -> None:
    add_images(parser)
    for split in SPLITS:
        add_file(parser, f"{split}-manifests", f"manifests of {split}", nargs="+")
        add_file(parser, f"{split}-masks", f"mask manifests of {split}", nargs="+")
    add_file(parser, "out", "scores to write (.json)")


def _cams(args: argparse.Namespace) -> str:
    from hfpl.stages.evaluate.cams import evaluate_cams
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    rows = evaluate_cams(
        [args.train_manifests, args.val_manifests],
        [args.train_masks, args.val_masks],
        ImageRoot(args.images),
        args.results,
        params.evaluate.background_score[params.variants[params.variant].method],
        args.out,
    )
    return "CAMs " + ("scored" if rows else _NOT_SCORED)


def _masks(args: argparse.Namespace) -> str:
    from hfpl.stages.evaluate.masks import evaluate_masks
    from hfpl.storage.reading import ImageRoot

    read_params(args)
    rows = evaluate_masks(
        args.stage,
        args.post_processing,
        [args.train_manifests, args.val_manifests],
        [args.train_masks, args.val_masks],
        ImageRoot(args.images),
        args.results,
        args.out,
        args.scores,
    )
    done = "scored" if rows else _NOT_SCORED
    return f"{args.stage}, post-processing {args.post_processing}, {done}"


def _table(args: argparse.Namespace) -> str:
    from hfpl.stages.evaluate.table import NO_SCORES, TableFiles, write_table

    params = read_params(args)
    variant = args.variant or params.variant
    files = TableFiles(args.json, args.csv, args.metrics)
    rows = write_table(params.dataset, variant, args.parts, files)
    return f"table of {params.dataset}, {variant}" + ("" if rows else f"; {NO_SCORES}")


def _show(args: argparse.Namespace) -> None:
    from hfpl.stages.evaluate.table import read_rows, table_as_text

    for table in args.tables:
        rows = read_rows(table)
        named = f"{rows[0]['dataset']}, variant {rows[0]['variant']} " if rows else ""
        print(f"\n{named}({table})")
        print(table_as_text(rows))
