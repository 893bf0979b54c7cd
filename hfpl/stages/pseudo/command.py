"""``hfpl pseudo``: refine the CAMs of a shard by a dense CRF."""

import argparse

from hfpl.options import add_file, add_images, add_params, read_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl pseudo``."""
    add_params(parser, "pseudo")
    add_images(parser)
    add_file(parser, "manifest", "manifest of the shard")
    add_file(parser, "cams", "its CAMs")
    add_file(parser, "low", "scores at the low background power to write (.zip)")
    add_file(parser, "high", "scores at the high background power to write (.zip)")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.stages.pseudo.refine import refine_shard
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    count = refine_shard(
        params.pseudo, args.manifest, ImageRoot(args.images), args.cams, args.low, args.high
    )
    return f"{count} images of {args.manifest.stem}"
