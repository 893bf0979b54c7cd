"""``hfpl data``: generate, download, convert or index a data set."""

import argparse
from importlib import import_module
from pathlib import Path

from hfpl.options import add_file, add_images, add_params, read_params
from hfpl.params import Params
from hfpl.params.dataset import Dataset
from hfpl.params.downloads import Source, sources_of
from hfpl.sections.suggest import suggest
from hfpl.storage.manifest import SPLITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl data``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    generate = actions.add_parser("generate", help="draw the data set 'shapes' into a zip file")
    add_params(generate, "data_generate")
    _add_archive(generate)
    generate.set_defaults(run=_generate)

    sources = actions.add_parser("sources", help="show what is downloaded: addresses and sizes")
    add_params(sources, "data_download")
    _add_downloads(sources)
    sources.set_defaults(run=_sources)

    download = actions.add_parser(
        "download", help="download an archive; one that is already there is checked and taken"
    )
    add_params(download, "data_download")
    _add_downloads(download)
    download.add_argument(
        "--source", required=True, metavar="NAME", help="as 'hfpl data sources' shows them"
    )
    add_file(download, "record", "size and checksum of what is there, to write (JSON)")
    download.set_defaults(run=_download)

    convert = actions.add_parser("convert", help="make one zip in VOC's layout of the archives")
    add_params(convert, "data_convert")
    _add_downloads(convert)
    _add_archive(convert)
    convert.set_defaults(run=_convert)

    index = actions.add_parser("index", help="write the manifests of a data set")
    add_params(index, "data_index")
    add_images(index)
    for split in SPLITS:
        add_file(
            index, f"{split}-manifests", f"manifests of {split} to write, one a shard", nargs="+"
        )
    index.set_defaults(run=_index)

    masks = actions.add_parser("masks", help="write the manifests of a data set's masks")
    add_params(masks, "data_masks")
    add_images(masks)
    for split in SPLITS:
        add_file(masks, f"{split}-manifests", f"manifests of {split}", nargs="+")
        add_file(masks, f"{split}-masks", f"mask manifests of {split} to write", nargs="+")
    masks.set_defaults(run=_masks)


def _add_archive(parser: argparse.ArgumentParser) -> None:
    add_file(parser, "archive", "zip file to write, in VOC's layout")
    parser.add_argument(
        "--digest", type=Path, metavar="FILE", help="digest of the archive, to write (JSON)"
    )


def _write_digest(args: argparse.Namespace) -> None:
    from hfpl.provenance import file_digest
    from hfpl.storage.atomic import write_json

    if args.digest:
        size = args.archive.stat().st_size
        write_json(args.digest, {"size": size, "digest": file_digest([args.archive])})


def _generate(args: argparse.Namespace) -> str:
    from hfpl.stages.data.generate import write_shapes

    params = read_params(args)
    settings = params.datasets[params.dataset]
    if settings.format != "shapes":
        raise ValueError(f"dataset '{params.dataset}' has format '{settings.format}', not 'shapes'")
    write_shapes(args.archive, settings)
    _write_digest(args)
    return f"{settings.train} + {settings.val} pictures drawn"


def _add_downloads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("downloads"),
        metavar="FOLDER",
        help="folder of the downloaded archives, local copies included (default: downloads)",
    )


def _downloaded(params: Params) -> dict[str, Source]:
    """Sources of the data set; ValueError where it has none."""
    sources = sources_of(params.datasets[params.dataset])
    if not sources:
        raise ValueError(f"dataset '{params.dataset}' is not one that is downloaded")
    return sources


def _sources(args: argparse.Namespace) -> str:
    from hfpl.jobs.sizes import human

    sources = _downloaded(read_params(args))
    for name, source in sources.items():
        path = args.downloads / source.file
        state = "there" if path.exists() else "not there yet"
        print(f"{name}: {path}, about {human(source.size)}, {state}")
        print(f"  md5 {source.md5 or 'not published'}")
        for url in source.urls:
            print(f"  {url}")
    return f"about {human(sum(s.size for s in sources.values()))} in all"


def _download(args: argparse.Namespace) -> str:
    from hfpl.jobs.sizes import human
    from hfpl.stages.data.download import fetch
    from hfpl.storage.atomic import write_json

    sources = _downloaded(read_params(args))
    if args.source not in sources:
        raise ValueError(f"--source {args.source}: unknown{suggest(args.source, sources)}")
    path = args.downloads / sources[args.source].file
    found = fetch(sources[args.source], path)
    write_json(args.record, {"source": args.source, "size": found.size, "md5": found.md5})
    return f"{path}: {human(found.size)}, md5 {found.md5}"


def _convert(args: argparse.Namespace) -> str:
    params = read_params(args)
    archives = {n: args.downloads / s.file for n, s in _downloaded(params).items()}
    module = import_module(f"hfpl.stages.data.{params.datasets[params.dataset].format}")
    counts = module.convert(archives, args.archive)
    _write_digest(args)
    return ", ".join(f"{count} images in {name}" for name, count in counts.items())


def _index(args: argparse.Namespace) -> str:
    from hfpl.stages.data.index import write_index
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    settings = params.datasets[params.dataset]
    root = ImageRoot(args.images)
    manifests = {"train": args.train_manifests, "val": args.val_manifests}
    if settings.format == "folder":
        from hfpl.stages.data.folder import write_folder_index

        return write_folder_index(params.dataset, root, settings, manifests)
    counts = write_index(params.dataset, root, _lists(settings), manifests)
    return ", ".join(f"{count} {split} images" for split, count in counts.items()) + " indexed"


def _masks(args: argparse.Namespace) -> str:
    from hfpl.stages.data.labels import counted
    from hfpl.stages.data.masks import folder_masks, listed_masks, write_mask_manifests
    from hfpl.storage.reading import ImageRoot

    params = read_params(args)
    settings = params.datasets[params.dataset]
    root = ImageRoot(args.images)
    manifests = {"train": args.train_manifests, "val": args.val_manifests}
    rest: list[str] = []
    if settings.format == "folder":
        found, rest = folder_masks(root, manifests)
    else:
        found = listed_masks(root, _lists(settings), manifests)
    masks = {"train": args.train_masks, "val": args.val_masks}
    write_mask_manifests(root, found, manifests, masks)
    note = counted(rest, "files in masks are not <name of an image in the list>.png")
    return f"{len(found)} masks indexed" + (f"; {note}" if rest else "")


def _lists(settings: Dataset) -> dict[str, str]:
    """Names of the lists of a data set in VOC's layout."""
    from hfpl.stages.data import voc
    from hfpl.stages.data.generate import SHAPES_LISTS

    made = {"shapes": SHAPES_LISTS, **voc.PUBLISHED_LISTS}
    return made.get(settings.format) or settings.lists.model_dump()
