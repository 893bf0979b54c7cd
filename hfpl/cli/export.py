"""``hfpl export``: results as PNG files, or as other tools read them."""

import argparse
from pathlib import Path

FORMATS = ("masks", "coco", "yolo", "labelstudio", "cvat")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl export``."""
    parser.add_argument("shards", type=Path, nargs="+", help="shards (.zip) of masks or scores")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder to write to",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="masks",
        help="masks (default): <image>.png, a label map or the scores below each other, and "
        "classes.csv, the labels' names; coco: instances_<split>.json; yolo: labels and data.yaml; "
        "labelstudio: tasks with predictions; cvat: annotations.xml",
    )
    parser.add_argument(
        "--photographs",
        type=Path,
        metavar="FOLDER",
        help="folder of the photographs, for labels of their own size (default: of the size that "
        "was worked on); yolo gets the photographs, too",
    )
    parser.add_argument(
        "--manifests",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="manifests of the photographs (default: of the run that the shards are of)",
    )
    parser.add_argument(
        "--address",
        default="/data/local-files/?d=",
        metavar="TEXT",
        help="labelstudio: what stands before a photograph's file in its address "
        "(default: %(default)s, its local files)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    for path in args.shards:
        if "*" in path.name and not path.exists():
            raise ValueError(
                f"{path}: no file is called so; is the run finished? 'snakemake --cores all' says"
            )
    if args.format == "masks":
        from hfpl.exports.masks import export_shards

        files = export_shards(args.shards, args.out)
        return f"{files} files written to {args.out}"
    from hfpl.exports.labelled import Results

    results = Results(args.shards, args.manifests, args.photographs)
    if args.format == "coco":
        from hfpl.exports.coco import write_coco

        files = write_coco(results, args.out)
    elif args.format == "yolo":
        from hfpl.exports.yolo import write_yolo

        files = write_yolo(results, args.out)
    elif args.format == "cvat":
        from hfpl.exports.cvat import write_cvat

        files = write_cvat(results, args.out)
    else:
        from hfpl.exports.label_studio import write_label_studio

        files = write_label_studio(results, args.out, args.address)
    return f"{len(results)} photographs written to {args.out}: {files}"
