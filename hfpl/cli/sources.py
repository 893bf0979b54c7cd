"""``hfpl data sources``: what a data set's download consists of."""

import argparse
from pathlib import Path

from hfpl.params import load_params
from hfpl.plugins.formats import build_format


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl data sources``."""
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), metavar="FILE", help="parameters"
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path("downloads"),
        metavar="FOLDER",
        help="folder of downloaded archives, local copies included (default: downloads)",
    )
    parser.set_defaults(run=_sources)


def _sources(args: argparse.Namespace) -> str:
    from hfpl.jobs.sizes import human

    params = load_params(args.params)
    sources = build_format(params.chosen_dataset).sources
    if not sources:
        raise ValueError(f"dataset '{params.dataset}' is not one that is downloaded")
    for name, source in sources.items():
        path = args.downloads / source.file
        state = "there" if path.exists() else "not there yet"
        print(f"{name}: {path}, about {human(source.size)}, {state}")
        print(f"  md5 {source.md5 or 'not published'}")
        for url in source.urls:
            print(f"  {url}")
    return f"about {human(sum(s.size for s in sources.values()))} in all"
