"""``hfpl params``: write a parameter file from a preset, or check one."""

import argparse
from pathlib import Path

from hfpl.params.load import load_params
from hfpl.params.presets import preset_names, preset_text
from hfpl.params.root import Params
from hfpl.plugins.formats import build_format
from hfpl.storage.atomic import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl params``."""
    parser.add_argument("preset", nargs="?", help=f"one of: {', '.join(preset_names())}")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="file to write (default: params.yaml)",
    )
    add_settings(parser)
    parser.add_argument(
        "--describe", action="store_true", help="print every key with type, bounds and meaning"
    )
    parser.add_argument(
        "--reruns", action="store_true", help="print which stages run again for which key"
    )
    parser.add_argument("--check", type=Path, metavar="FILE", help="check a file, write nothing")
    parser.set_defaults(run=_run)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The option that changes values of a preset."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="change a value of the preset, e.g. cam.fsl.mu=2.5 (repeatable)",
    )


def _run(args: argparse.Namespace) -> str:
    if args.describe:
        from hfpl.params.describe import describe_params

        print(describe_params(), end="")
        return ""
    if args.reruns:
        from hfpl.cli.reruns import describe_reruns

        print(describe_reruns(load_params(args.out)), end="")
        return ""
    if args.check:
        load_params(args.check)
        return f"{args.check} holds"
    if not args.preset:
        raise ValueError(f"name a preset ({', '.join(preset_names())}), or use --check FILE")
    write_text(args.out, preset_text(args.preset, args.settings))
    return f"preset {args.preset} written to {args.out}{_announcement(load_params(args.out))}"


def _announcement(params: Params) -> str:
    """What the data set will have downloaded, if anything."""
    size = sum(source.size for source in build_format(params.chosen_dataset).sources.values())
    if not size:
        return ""
    return f"; about {size / 1e9:.1f} GB will be downloaded: 'hfpl data sources' shows from where"
