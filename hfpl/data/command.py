"""``hfpl data``: generate or index a data set."""

import argparse

from hfpl.images.manifest import SPLITS
from hfpl.options import add_file, add_images, add_params, read_params


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl data``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    generate = actions.add_parser("generate", help="draw the data set 'shapes' into a zip file")
    add_params(generate, "data_generate")
    add_file(generate, "archive", "zip file to write, in VOC's layout")
    generate.set_defaults(run=_generate)

    index = actions.add_parser("index", help="write the manifests of a data set")
    add_params(index, "data")
    add_images(index)
    for split in SPLITS:
        add_file(
            index, f"{split}-manifests", f"manifests of {split} to write, one a shard", nargs="+"
        )
        add_file(index, f"{split}-masks", f"mask manifests of {split} to write", nargs="+")
    index.set_defaults(run=_index)


def _generate(args: argparse.Namespace) -> str:
    from hfpl.data.generate import write_shapes

    params = read_params(args)
    settings = params.datasets[params.dataset]
    if settings.format != "shapes":
        raise ValueError(f"dataset '{params.dataset}' has format '{settings.format}', not 'shapes'")
    write_shapes(args.archive, settings)
    return f"{settings.train} + {settings.val} pictures drawn"


def _index(args: argparse.Namespace) -> str:
    from hfpl.data.generate import SHAPES_LISTS
    from hfpl.data.index import write_index
    from hfpl.images.reading import ImageRoot

    params = read_params(args)
    settings = params.datasets[params.dataset]
    manifests = {"train": args.train_manifests, "val": args.val_manifests}
    masks = {"train": args.train_masks, "val": args.val_masks}
    if settings.format == "folder":
        from hfpl.data.folder import write_folder_index

        root = ImageRoot(args.images)
        return write_folder_index(params.dataset, root, settings, manifests, masks)
    lists = SHAPES_LISTS if settings.format == "shapes" else settings.lists.model_dump()
    counts = write_index(params.dataset, ImageRoot(args.images), lists, manifests, masks)
    return ", ".join(f"{count} {split} images" for split, count in counts.items()) + " indexed"
