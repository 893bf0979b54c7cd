"""``hfpl segment apply``: label new photographs with a trained model."""

import argparse
from pathlib import Path

from hfpl.cli.job import add_runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl segment apply``."""
    parser.description = "Label new photographs: a mask (VOC's palette) and an overlay for each."
    parser.add_argument(
        "photographs",
        type=Path,
        nargs="+",
        metavar="PHOTOGRAPH",
        help="files, or folders with all below them",
    )
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="model that a run wrote (segment/model.safetensors)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("segmented"),
        metavar="DIR",
        help="folder to write masks, overlays and classes.csv to (default: segmented)",
    )
    parser.add_argument("--no-crf", action="store_true", help="leave out the dense CRF")
    parser.add_argument("--force", action="store_true", help="label finished photographs again")
    parser.add_argument(
        "--long-side",
        type=int,
        metavar="PIXELS",
        help="shrink larger photographs to this for the network; masks keep the photograph's size "
        "(default: the largest training image)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="take scales and CRF from segment.test of this parameter file, not from the model",
    )
    add_runtime(parser)
    parser.set_defaults(run=_apply)


def _apply(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.params import load_params
    from hfpl.stages.segment.apply import Settings, label_photographs
    from hfpl.stages.segment.model import load_model
    from hfpl.stages.segment.segmenter import Segmenter

    if args.long_side is not None and args.long_side < 1:
        raise ValueError(f"--long-side {args.long_side}: expected at least 1")
    test = load_params(args.settings).segment.test if args.settings else None
    runtime = set_up(args.device, args.threads, args.workers)
    segmenter = Segmenter(
        load_model(args.model, runtime),
        runtime,
        crf=not args.no_crf,
        test=test,
        long_side=args.long_side,
    )
    settings = Settings(args.force, runtime.workers)
    labelled, skipped = label_photographs(
        segmenter, args.model, args.photographs, args.out, settings
    )
    finished = f", {skipped} were finished" if skipped else ""
    return f"{labelled} photographs labelled{finished}; results in {args.out}"
