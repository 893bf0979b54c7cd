"""``hfpl segment``: train and test the segmentation network."""

import argparse
from pathlib import Path

from hfpl.cam.command import add_weights
from hfpl.options import add_file, add_images, add_params, add_runtime, job_digest, read_params
from hfpl.provenance import file_digest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl segment``."""
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
    add_runtime(test)
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


def _train(args: argparse.Namespace) -> str:
    from hfpl.images.reading import ImageRoot
    from hfpl.runtime import set_up
    from hfpl.segment.train import train_segment
    from hfpl.training.stage import TrainingFiles

    params = read_params(args)
    variant = args.variant or params.variant
    inputs = [*args.manifests, *args.labels, *([args.weights] if args.weights else [])]
    files = TrainingFiles(args.model, args.history, job_digest(args, params) + file_digest(inputs))
    runtime = set_up(args.device, args.threads, args.workers)
    train_segment(
        params.segment,
        params.network,
        params.variants[variant].seed,
        args.manifests,
        ImageRoot(args.images),
        args.labels,
        args.weights,
        files,
        runtime,
    )
    return f"{params.segment.iterations} iterations"


def _test(args: argparse.Namespace) -> str:
    from hfpl.images.reading import ImageRoot
    from hfpl.runtime import set_up
    from hfpl.segment.test import segment_shard

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
