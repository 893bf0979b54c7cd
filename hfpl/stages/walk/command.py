"""``hfpl walk``: label maps by a random walk over learned affinities."""

import argparse

from hfpl.options import add_file, add_images, add_params, add_runtime, read_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl walk``."""
    add_params(parser, "walk")
    add_runtime(parser)
    add_images(parser)
    add_file(parser, "manifest", "manifest of the shard")
    add_file(parser, "cams", "its CAMs")
    add_file(parser, "model", "trained affinity network")
    add_file(parser, "labels", "label maps to write (.zip)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.runtime import set_up
    from hfpl.stages.walk.label import label_shard
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    runtime = set_up(args.device, args.threads, args.workers)
    count = label_shard(
        params.walk,
        params.affinity,
        params.network,
        args.manifest,
        ImageRoot(args.images),
        args.cams,
        args.model,
        args.labels,
        runtime,
    )
    return f"{count} images of {args.manifest.stem}"
