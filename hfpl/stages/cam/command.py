"""``hfpl cam``: train the CAM network, infer CAMs."""

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
    """Arguments of ``hfpl cam``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    train = actions.add_parser("train", help="train a CAM network, with or without ISL and FSL")
    add_params(train, "cam_train", variant=True)
    add_runtime(train)
    add_images(train)
    add_file(train, "manifests", "manifests of the training images", nargs="+")
    add_weights(train)
    add_file(train, "model", "network to write (.safetensors)")
    add_file(train, "history", "losses to write (.csv)")
    train.set_defaults(run=_train)

    infer = actions.add_parser("infer", help="write the CAMs of a shard of images")
    add_params(infer, "cam_infer", variant=True)
    add_runtime(infer)
    add_images(infer)
    add_file(infer, "manifest", "manifest of the shard")
    add_file(infer, "model", "trained network")
    add_file(infer, "cams", "shard of CAMs to write (.zip)")
    infer.set_defaults(run=_infer)


def _train(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.cam.train import CamSettings, train_cam
    from hfpl.storage.reading import ImageRoot
    from hfpl.training.stage import TrainingFiles

    params = read_params(args)
    settings = CamSettings(params.cam, params.variants[params.variant], params.network)
    inputs = [*args.manifests, *given_weights(args)]
    digest = job_digest(args, params) + file_digest(inputs)
    files = TrainingFiles(args.model, args.history, digest)
    runtime = set_up(args.device, args.threads, args.workers)
    train_cam(settings, args.manifests, ImageRoot(args.images), args.weights, files, runtime)
    return f"{params.cam.epochs} epochs of variant {args.variant or params.variant}"


def _infer(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.cam.infer import infer_cams
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    variant = params.variants[params.variant]
    runtime = set_up(args.device, args.threads, args.workers)
    count = infer_cams(
        params.cam,
        variant,
        params.network,
        [args.manifest],
        ImageRoot(args.images),
        args.model,
        args.cams,
        runtime,
    )
    return f"{count} images of {args.manifest.stem}"
