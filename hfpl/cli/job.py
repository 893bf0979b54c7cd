"""The command of a job: its options, and what it takes to call its function."""

import argparse
import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from hfpl.jobs.code import code_again
from hfpl.jobs.job import File, Job
from hfpl.jobs.key import key_digest
from hfpl.params import Params
from hfpl.params.load import ParamsError, load_params, resolve
from hfpl.sections.suggest import suggest
from hfpl.storage.digest import file_digest


def add_job(parser: argparse.ArgumentParser, job: Job) -> None:
    """Options of a job, all of them from its declaration."""
    parser.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="parameters (default: params.yaml)",
    )
    parser.add_argument(
        "--settings",
        metavar="JSON",
        help="the values that the job reads, in place of --params: what a run's plan said",
    )
    if job.of_variant:
        parser.add_argument(
            "--variant",
            metavar="NAME",
            help="entry of variants, also with changed values: seam@seed=2@cam.fsl.mu=3.0 "
            "(default: the one that the parameters name)",
        )
    for name in job.names:
        if name != "variant":
            parser.add_argument(f"--{name}", required=True, metavar="NAME", help=_NAMED[name])
    parser.add_argument("--log", type=Path, metavar="FILE", help="append messages to this file")
    if job.kind != "plain":
        add_runtime(parser)
    if job.images:
        _add_file(parser, File("images", "", "folder, or zip of one, of the manifests' files"))
    if job.downloads:
        parser.add_argument(
            "--downloads",
            type=Path,
            default=Path("downloads"),
            metavar="FOLDER",
            help="folder of downloaded archives, local copies included (default: downloads)",
        )
    for file in (*job.inputs, *job.outputs):
        if file.option:
            _add_file(parser, file)
    parser.set_defaults(run=run_job, job=job)


_NAMED = {
    "source": "which archive, as 'hfpl data sources' shows them",
    "scored": "what is scored, such as walk, pseudo-low or segment-crf",
}


def _add_file(parser: argparse.ArgumentParser, file: File) -> None:
    shape: dict[str, Any] = {"nargs": "?"} if file.optional else {}
    if file.many:
        shape = {"nargs": "*", "default": []} if file.optional else {"nargs": "+"}
    parser.add_argument(
        f"--{file.name.replace('_', '-')}",
        type=Path,
        required=not file.optional,
        metavar="FILE" if file.name != "images" else "ROOT",
        help=file.help,
        **shape,
    )


def add_runtime(parser: argparse.ArgumentParser, *, workers: bool = True) -> None:
    """Where the work runs; none of this is a parameter."""
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
            help="processes beside the main one, which load images or refine; auto (default): one "
            "for each core that the threads leave free, 0: none, the main process does it",
        )


def _count_or_auto(text: str) -> int | None:
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected auto or a number, found '{text}'") from None


def run_job(args: argparse.Namespace) -> str:
    """Call the function of a job; what it did, in words.

    Raises:
        ValueError: a mistake in the parameters, an input that is not there, or code that was
            changed since the run was planned; and as the function.
    """
    job: Job = args.job
    key = _key(args, job)
    files = {f.name: getattr(args, f.name) for f in (*job.inputs, *job.outputs) if f.option}
    given = {**files, **{name: getattr(args, name) for name in job.names}}
    for name in ("images", "downloads"):
        if getattr(job, name):
            given[name] = getattr(args, name)
    if job.kind != "plain":
        from hfpl.jobs.runtime import set_up

        given["runtime"] = set_up(args.device, args.threads, args.workers)
    inputs = _existing(job, files)
    if job.kind == "training":
        # A checkpoint is of use for this very training alone.
        given["digest"] = key_digest(key) + file_digest(inputs)
    module, _, function = job.function.partition(":")
    return getattr(import_module(module), function)(job.settings(key), **given)


def _key(args: argparse.Namespace, job: Job) -> dict[str, Any]:
    """All that the results depend on besides the inputs: of the rule, or of a parameter file."""
    if args.settings is None:
        params = params_of(args.params, getattr(args, "variant", None))
        if "variant" in job.names:
            args.variant = args.variant or params.variant
        _check(args, job, params)
        return {**job.key(params), **job.located(params)}
    try:
        key = dict(json.loads(args.settings))
        planned = key["code"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("--settings: expected what a rule hands over; use --params FILE") from None
    if planned != code_again(planned, job.function):
        raise ValueError("the code was changed since this run was planned; start snakemake again")
    return key


def _check(args: argparse.Namespace, job: Job, params: Params) -> None:
    """Refuse what a run with these parameters does not have."""
    for name, known in job.names.items():
        given = getattr(args, name)
        if name != "variant" and given not in known(params):
            raise ValueError(f"--{name} {given}: unknown{suggest(given, known(params))}")
    if job.stage == "data" and not job.when(params):
        raise ValueError(f"a run with these parameters has no '{job.stage} {job.step}'")


def params_of(file: Path, variant: str | None) -> Params:
    """Parameters of a file, with another variant or run chosen if one is named.

    Raises:
        ParamsError: as :func:`hfpl.params.load_params`, or no such variant.
    """
    params = load_params(file)
    if not variant:
        return params
    try:
        return resolve(params, variant)
    except ParamsError as error:
        raise ParamsError(f"--variant {error}") from None


def _existing(job: Job, files: Mapping[str, Any]) -> list[Path]:
    """Input files, in the order of the declaration; ValueError names one that is not there."""
    found = []
    for file in job.inputs:
        given = files.get(file.name)
        for path in given if isinstance(given, list) else [given] if given else []:
            if not path.is_file():
                raise ValueError(file.missing(path) if file.missing else f"{path}: no such file")
            found.append(path)
    return found
