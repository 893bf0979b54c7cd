"""``hfpl report``: pictures of a run's results, as PNG files."""

import argparse
from pathlib import Path

from hfpl.options import add_file, add_images, add_params, read_params
from hfpl.storage.manifest import SPLITS

TRAININGS = ("pretrain", "cam", "affinity", "segment")
"""Stages that train a network, in their order."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl report``."""
    add_params(parser, "report", variant=True)
    add_images(parser)
    for split in SPLITS:
        add_file(parser, f"{split}-manifests", f"manifests of {split}", nargs="+")
        add_file(parser, f"{split}-masks", f"mask manifests of {split}", nargs="+")
    add_file(parser, "cams", "shards of CAMs, all splits", nargs="+")
    add_file(parser, "labels", "shards of the walk's label maps, all splits", nargs="+")
    add_file(parser, "predictions", "shards of the tested label maps, all splits", nargs="+")
    add_file(parser, "cam-scores", "scores of the CAMs (.json)")
    add_file(parser, "table", "table of all scores (.json)")
    for stage in TRAININGS:
        parser.add_argument(
            f"--{stage}-history",
            type=Path,
            metavar="FILE",
            nargs="?",
            help=f"losses of the training of {stage} (.csv), where there was one",
        )
    for split in SPLITS:
        add_file(parser, f"contact-{split}", f"contact sheet of {split} to write (.png)")
    add_file(parser, "threshold-curve", "mIoU of the CAMs over the threshold, to write (.png)")
    add_file(parser, "classes", "scores per class to write (.png)")
    add_file(parser, "training", "training curves to write (.png)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.stages.report import pictures
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    run = f"{params.dataset}, {args.variant or params.variant}"
    histories = _histories(args)
    results = pictures.StageResults(args.cams, args.labels, args.predictions)
    root = ImageRoot(args.images)
    sheets = (
        (args.train_manifests, args.train_masks, args.contact_train),
        (args.val_manifests, args.val_masks, args.contact_val),
    )
    for manifests, masks, output in sheets:
        pictures.draw_contact_sheet(
            manifests, masks, root, results, run, params.report.images, output
        )
    pictures.draw_threshold_curve(args.cam_scores, run, args.threshold_curve)
    pictures.draw_class_bars(args.val_manifests, args.table, run, args.classes)
    pictures.draw_training_curves(histories, run, args.training)
    return "5 pictures drawn"


def _histories(args: argparse.Namespace) -> dict[str, Path]:
    given = {stage: getattr(args, f"{stage}_history") for stage in TRAININGS}
    found = {stage: path for stage, path in given.items() if path}
    if not found:
        raise ValueError("no history given; add at least --cam-history")
    return found
