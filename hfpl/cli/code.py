"""``hfpl code``: which code was edited since it was recorded, and whether results changed."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``hfpl code``."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--same",
        action="store_true",
        help="record the edited code under its versions of before, if micro runs with the "
        "recorded code and with this one give the same bytes (minutes)",
    )
    choice.add_argument(
        "--raise",
        nargs="+",
        metavar="NAME",
        dest="raised",
        help="jobs or plug-ins whose results change: a new version each; 'edited' for all edited",
    )
    parser.add_argument(
        "--trust",
        nargs="+",
        default=[],
        metavar="NAME",
        help="with --same: jobs or plug-ins that micro does not run, whose results are the same by "
        "'make parity' or by their tests, as you say",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> str:
    from hfpl.jobs.code import record
    from hfpl.versioning.code import accept, edited, raise_versions

    if args.same:
        return f"{len(accept(args.trust))} recorded again: their results are the same"
    if args.raised:
        names = edited() if args.raised == ["edited"] else args.raised
        return f"new versions: {', '.join(raise_versions(names))}"
    names = edited()
    new = [name for name in names if name not in record()]
    for name in names:
        print(f"{name}: {'new' if name in new else 'edited'}")
    told = [
        f"{len(new)} new; --raise records them" if new else "",
        f"{len(names) - len(new)} edited; --same or --raise records them" if names != new else "",
    ]
    return "; ".join(filter(None, told)) or "nothing is edited"
