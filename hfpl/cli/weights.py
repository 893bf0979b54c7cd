"""``hfpl weights``: ImageNet weights of the backbones, and where they are or come from."""

import argparse
from pathlib import Path

from hfpl.networks.weights.published import BACKBONES, Published, imagenet_of
from hfpl.sections.plugins import plugin_names
from hfpl.sections.suggest import suggest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl weights``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="list them, and say which are there")
    show.set_defaults(run=_show)
    fetch = actions.add_parser(
        "fetch", help="download those that are published at an address; an interrupted one goes on"
    )
    fetch.add_argument("backbone", help=f"one of: {', '.join(_fetched())}")
    fetch.add_argument(
        "--url", action="append", metavar="URL", help="take it from here; its checksum stays"
    )
    fetch.add_argument("--model", metavar="NAME", help="of timm: whose weights, from its hub")
    fetch.set_defaults(run=_fetch)


def _show(args: argparse.Namespace) -> str:
    found = [(name, p) for name in plugin_names(BACKBONES) for p in imagenet_of(name)]
    for name, published in found:
        options = "".join(f", {option} {value}" for option, value in published.options.items())
        print(f"{name}{options}: {_state(name, published)}")
    return f"{len(found)} files of ImageNet weights"


def _state(name: str, published: Published) -> str:
    path = published.path
    if path and path.is_file():
        return f"{path}, there"
    if published.missing:
        return published.missing
    return f"{path}, not there; {published.origin}"


def _fetched() -> list[str]:
    """Backbones whose weights have an address."""
    return [name for name in plugin_names(BACKBONES) if any(p.urls for p in imagenet_of(name))]


def _fetch(args: argparse.Namespace) -> str:
    from hfpl.jobs.sizes import human
    from hfpl.stages.data.download import Wanted, fetch

    known = plugin_names(BACKBONES)
    if args.backbone not in known:
        raise ValueError(f"'{args.backbone}' is no backbone{suggest(args.backbone, known)}")
    if args.backbone == "timm":
        return _fetch_timm(args.model)
    published = imagenet_of(args.backbone)
    chosen = next((p for p in published if p.urls), None)
    if chosen is None:
        hint = published[0] if published else None
        how = (hint.install or hint.origin) if hint else "none are known"
        raise ValueError(f"weights of {args.backbone} are not fetched: {how}")
    urls = tuple(args.url or chosen.urls)
    wanted = Wanted(urls, chosen.size, chosen.sha256, "sha256")
    found = fetch(wanted, Path(chosen.file))
    return f"{chosen.file}: {human(found.size)}, SHA-256 {found.digest}"


def _fetch_timm(model: str | None) -> str:
    """Weights that belong to a network of timm, from the hub that the library names."""
    from hfpl.plugins.backbones.timm import imported_timm
    from hfpl.storage.digest import sha256_of
    from hfpl.storage.tensors import save_tensors

    if not model:
        raise ValueError("weights of timm: --model NAME says which, as timm.list_pretrained() does")
    timm = imported_timm()
    try:
        network = timm.create_model(model, pretrained=True)
    except Exception as error:  # Of the library, its hub's client and the network, any.
        raise ValueError(f"weights of timm's '{model}' cannot be had: {error}") from None
    path = Path(f"data/timm-{model}.safetensors")
    save_tensors(path, network.state_dict())
    return f"{path}, SHA-256 {sha256_of(path)}; take it by network.weights: {path}"
