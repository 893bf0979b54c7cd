"""``hfpl segment``: train and test the segmentation network, label new photographs with it."""

import argparse
from pathlib import Path

from hfpl.options import (
    add_file,
    add_images,
    add_params,
    add_runtime,
    add_weights,
    given_weights,
    job_digest,
    read_params,
)
from hfpl.provenance import file_digest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl segment``."""
    parser.description = (
        "Train and test the segmentation network on a data set, or label new photographs: "
        "'hfpl segment --model MODEL PHOTOGRAPH ...' is short for 'hfpl segment apply ...'."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    train = actions.add_parser("train", help="train on the random walk's label maps")
    add_params(train, "segment_train", variant=True)
    add_runtime(train)
    add_images(train)
    add_file(train, "manifests", "manifests of the training images", nargs="+")
    add_file(train, "labels", "their label maps", nargs="+")
    add_weights(train)
    add_file(train, "model", "network to write (.safetensors)")
    add_file(train, "history", "losses to write (.csv)")
    train.set_defaults(run=_train)

    test = actions.add_parser("test", help="write the label maps of a shard's images")
    add_params(test, "segment_test")
    add_runtime(test, workers="processes of the CRF, beside the network")
    add_images(test)
    add_file(test, "manifest", "manifest of the shard")
    test.add_argument(
        "--masks",
        type=Path,
        metavar="FILE",
        nargs="?",
        help="manifest of its masks: test scored images alone (default: every image)",
    )
    add_file(test, "model", "trained network")
    add_file(test, "plain", "label maps of the network to write (.zip)")
    add_file(test, "refined", "label maps after the CRF to write (.zip)")
    test.set_defaults(run=_test)

    _add_apply(actions.add_parser("apply", help="label new photographs; may be left out"))


def _add_apply(parser: argparse.ArgumentParser) -> None:
    parser.description = "Label new photographs: a mask (VOC's palette) and an overlay for each."
    parser.add_argument(
        "photographs",
        type=Path,
        nargs="+",
        metavar="PHOTOGRAPH",
        help="files, or folders with all below them",
    )
    add_file(parser, "model", "network that 'hfpl segment train' wrote (.safetensors)")
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
    add_runtime(parser, workers=None)
    parser.set_defaults(run=_apply)


def _apply(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.params import load_params
    from hfpl.stages.segment.apply import Settings, label_photographs

    if args.long_side is not None and args.long_side < 1:
        raise ValueError(f"--long-side {args.long_side}: expected at least 1")
    test = load_params(args.settings).segment.test if args.settings else None
    settings = Settings(not args.no_crf, args.force, test, args.long_side)
    runtime = set_up(args.device, args.threads)
    labelled, skipped = label_photographs(args.model, args.photographs, args.out, settings, runtime)
    finished = f", {skipped} were finished" if skipped else ""
    return f"{labelled} photographs labelled{finished}; results in {args.out}"


def _train(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.segment.train import train_segment
    from hfpl.storage.reading import ImageRoot
    from hfpl.training.stage import TrainingFiles

    params = read_params(args)
    inputs = [*args.manifests, *args.labels, *given_weights(args)]
    files = TrainingFiles(args.model, args.history, job_digest(args, params) + file_digest(inputs))
    runtime = set_up(args.device, args.threads, args.workers)
    train_segment(
        params.segment,
        params.network,
        params.variants[params.variant].seed,
        args.manifests,
        ImageRoot(args.images),
        args.labels,
        args.weights,
        files,
        runtime,
    )
    return f"{params.segment.iterations} iterations"


def _test(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.segment.test import segment_shard
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    runtime = set_up(args.device, args.threads, args.workers)
    count = segment_shard(
        params.segment,
        params.network,
        args.manifest,
        args.masks,
        ImageRoot(args.images),
        args.model,
        args.plain,
        args.refined,
        runtime,
    )
    return f"{count} images of {args.manifest.stem}"
