"""``hfpl affinity``: train the affinity network."""

import argparse

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
    """Arguments of ``hfpl affinity``."""
    add_params(parser, "affinity", variant=True)
    add_runtime(parser)
    add_images(parser)
    add_file(parser, "manifests", "manifests of the training images", nargs="+")
    add_file(parser, "low", "their scores at the low background power", nargs="+")
    add_file(parser, "high", "their scores at the high background power", nargs="+")
    add_weights(parser)
    add_file(parser, "model", "network to write (.safetensors)")
    add_file(parser, "history", "losses to write (.csv)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.affinity.train import train_affinity
    from hfpl.storage.reading import ImageRoot
    from hfpl.training.stage import TrainingFiles

    params = read_params(args)
    inputs = [*args.manifests, *args.low, *args.high, *given_weights(args)]
    files = TrainingFiles(args.model, args.history, job_digest(args, params) + file_digest(inputs))
    runtime = set_up(args.device, args.threads, args.workers)
    train_affinity(
        params.affinity,
        params.network,
        params.variants[params.variant].seed,
        args.manifests,
        ImageRoot(args.images),
        args.low,
        args.high,
        args.weights,
        files,
        runtime,
    )
    return f"{params.affinity.epochs} epochs"
