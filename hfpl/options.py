"""Options that the stages' commands share."""

import argparse
from pathlib import Path

from hfpl.networks.weights.published import missing_file
from hfpl.params import Params, ParamsError, load_params
from hfpl.params.load import resolve
from hfpl.provenance import job_key, key_digest


def add_params(parser: argparse.ArgumentParser, job: str, *, variant: bool = False) -> None:
    """Options about parameters, and the log; ``job`` is remembered for :func:`read_params`."""
    parser.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="parameters (default: params.yaml)",
    )
    if variant:
        parser.add_argument(
            "--variant",
            metavar="NAME",
            help="entry of variants, also with changed values: seam@seed=2@cam.fsl.mu=3.0 "
            "(default: the one params.yaml names)",
        )
    parser.add_argument(
        "--expect",
        metavar="DIGEST",
        help="stop unless the job's parameters and code have this digest: they "
        "may have changed since the run was planned",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append messages to this file")
    parser.set_defaults(job=job)


def add_runtime(
    parser: argparse.ArgumentParser, workers: str | None = "processes that load images"
) -> None:
    """Options about where the work runs; none of them is a parameter.

    Args:
        workers: what processes beside the main one do; None where there are none.
    """
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:<n>")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads of torch; results on CPU are equal to the byte for equal N "
        "(default: torch's choice)",
    )
    if workers:
        parser.add_argument(
            "--workers",
            type=_count_or_auto,
            metavar="N",
            help=f"{workers}; auto (default): one for each core that the threads leave free, "
            "0: none, the main process does it",
        )


def _count_or_auto(text: str) -> int | None:
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected auto or a number, found '{text}'") from None


def add_file(parser: argparse.ArgumentParser, name: str, text: str, **more: object) -> None:
    """A required file option, or several files with ``nargs``."""
    metavar = "FILE" if name != "images" else "ROOT"
    parser.add_argument(f"--{name}", type=Path, required=True, metavar=metavar, help=text, **more)


def add_weights(parser: argparse.ArgumentParser) -> None:
    """The weights that a training starts from."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        nargs="?",
        help="weights to start from (.safetensors, .pth, .params): the backbone's, or those of the "
        "whole network where the stage's weights parameter names a file; without, random ones",
    )


def given_weights(args: argparse.Namespace) -> list[Path]:
    """The weights file as a list, empty where there is none.

    Raises:
        ValueError: it is not there; the message says where its authors publish it.
    """
    if not args.weights:
        return []
    if not args.weights.is_file():
        raise ValueError(missing_file(args.weights))
    return [args.weights]


def add_images(parser: argparse.ArgumentParser) -> None:
    """The root that the manifests' paths start from."""
    add_file(parser, "images", "folder, or zip of one, that the manifests' files lie in")


def read_params(args: argparse.Namespace) -> Params:
    """Parameters of the command line; their variant is the one that is asked for.

    Raises:
        ParamsError: as :func:`hfpl.params.load_params`; an unknown variant; or another digest
            than expected.
    """
    params = load_params(args.params)
    variant = getattr(args, "variant", None)
    if variant:
        try:
            params = resolve(params, variant)
        except ParamsError as error:
            raise ParamsError(f"--variant {error}") from None
    found = key_digest(job_key(params, args.job))
    if args.expect and args.expect != found:
        raise ParamsError(
            f"{args.params}: parameters or code changed since this run was planned "
            f"(expected {args.expect}, found {found}); start snakemake again"
        )
    return params


def job_digest(args: argparse.Namespace, params: Params) -> str:
    """Digest of parameters and code of the command's job."""
    return key_digest(job_key(params, args.job))
