"""The command ``hfpl``: one subcommand per stage, and a few beside them."""

import argparse
import logging
import sys
import time
import traceback
from collections.abc import Container, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from pathlib import Path

from hfpl import __version__
from hfpl.distributed.process import rank
from hfpl.jobs.alone import alone, stop_with_run
from hfpl.jobs.printable import printable
from hfpl.jobs.progress import Interrupted

_OF_STAGES = {
    "data": ("draw, download, convert or index a data set", {"sources": "hfpl.cli.sources"}),
    "pretrain": ("backbone weights from scratch", {}),
    "cam": ("train the CAM network, infer CAMs", {}),
    "pseudo": ("refine CAMs by a dense CRF", {}),
    "affinity": ("train the affinity network", {}),
    "walk": ("label maps by a random walk", {}),
    "segment": (
        "the segmentation network, also for new photographs: 'hfpl segment --model MODEL "
        "PHOTOGRAPH ...' is short for 'hfpl segment apply ...'",
        {"apply": "hfpl.cli.apply", "onnx": "hfpl.cli.onnx"},
    ),
    "evaluate": ("score every stage's results", {"show": "hfpl.cli.show"}),
    "report": ("pictures of the results", {}),
    "review": (
        "which of your own photographs to look at, and a page that shows them",
        {"page": "hfpl.cli.page"},
    ),
}
"""Stage → a line about it, and its commands that are no jobs."""
_OTHERS = {
    "init": "an empty folder: write what 'snakemake' needs to run a preset there",
    "params": "write params.yaml from a preset, or check one",
    "ablation": "stage ablation: variants compared over seeds",
    "dvc": "versions of results: declare, commit and share with DVC",
    "clean": "show and remove results that no parameter and no commit refers to",
    "weights": "ImageNet weights of the backbones: show and fetch them",
    "export": "unpack a shard into PNG files",
    "code": "versions of the jobs' code: what was edited, and whether results changed",
}
"""Commands of no stage, each a module of this package; only the one asked for is loaded."""
_ABOUT = {
    "apply": "label new photographs; may be left out",
    "onnx": "write a model as ONNX, for programs without torch",
    "page": "write a page that shows photographs, labels and what is suspicious",
    "show": "print tables",
    "sources": "show what is downloaded: addresses and sizes",
}

_FIRST_SPEAKS = 1.0
"""Seconds that the other processes of a training leave process 0 for its last words."""


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; the exit status is 0, 1 after an error, 2 after a usage error."""
    arguments = _with_action(sys.argv[1:] if arguments is None else arguments)
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    return _run(_parser([chosen]).parse_args(arguments))


def whole_parser() -> argparse.ArgumentParser:
    """The parser with the options of all commands."""
    return _parser([*_OF_STAGES, *_OTHERS])


def _parser(loaded: Container[str | None]) -> argparse.ArgumentParser:
    """The parser; only the commands that are to be loaded have their options."""
    parser = argparse.ArgumentParser(
        prog="hfpl",
        description="Weakly supervised semantic segmentation with high-fidelity pseudo-labels. "
        "'snakemake --cores all' runs all stages; each can also be run by hand.",
    )
    parser.add_argument("--version", action="version", version=f"hfpl {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for stage, (text, more) in _OF_STAGES.items():
        line = f"stage {stage}: {text}"
        sub = commands.add_parser(stage, help=line, description=line)
        if stage in loaded:
            _add_stage(sub, stage, more)
    for name, line in _OTHERS.items():
        sub = commands.add_parser(name, help=line, description=line)
        if name in loaded:
            import_module(f"{__name__}.{name}").add_arguments(sub)
    return parser


def _add_stage(parser: argparse.ArgumentParser, stage: str, more: dict[str, str]) -> None:
    """The jobs of a stage, from their declarations, and its other commands."""
    from hfpl.cli.job import add_job
    from hfpl.pipeline import jobs_of

    jobs = jobs_of(stage)
    if not more and len(jobs) == 1:
        add_job(parser, jobs[0])
        return
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for job in jobs:
        add_job(actions.add_parser(job.step, help=job.help, description=job.help), job)
    for name, module in more.items():
        line = _ABOUT[name]
        import_module(module).add_arguments(actions.add_parser(name, help=line, description=line))


def _with_action(arguments: list[str]) -> list[str]:
    """``hfpl segment --model …`` as ``hfpl segment apply --model …``.

    argparse would take the first photograph for the name of an action.
    """
    given = any(a == "--model" or a.startswith("--model=") for a in arguments)
    if (
        arguments[:1] == ["segment"]
        and given
        and arguments[1] not in ("train", "test", "model", "apply", "onnx")
    ):
        return ["segment", "apply", *arguments[1:]]
    return arguments


def _run(args: argparse.Namespace) -> int:
    """Run the chosen function; a mistake of the user becomes one line."""
    began = time.monotonic()
    log = getattr(args, "log", None)
    name = " ".join(filter(None, [args.command, getattr(args, "action", None)]))
    try:
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.open("a").close()
            if rank() == 0:
                stop_with_run()
    except OSError as error:
        print(f"hfpl {name}: error: --log {log}: {error}", file=sys.stderr, flush=True)
        return 1
    try:
        with alone(log) if log and rank() == 0 else nullcontext(), _messages(log):
            line = args.run(args)
    except (ValueError, OSError, Interrupted, KeyboardInterrupt) as error:
        # Files and keys are named in the message; the traceback goes to the log alone.
        text = printable(" ".join(str(error).split()))
        message = f"hfpl {name}: error: {text}"
        if isinstance(error, Interrupted | KeyboardInterrupt):
            message = text or f"{name}: interrupted"
        _append(log, traceback.format_exc())
        if rank() > 0:
            # Process 0 says it, and its launcher ends it as soon as this one has ended.
            time.sleep(_FIRST_SPEAKS)
            return 1
        print(message, file=sys.stderr, flush=True)
        return 1
    except Exception:
        _append(log, traceback.format_exc())
        raise
    if line and rank() == 0:
        message = f"{name}: {line} ({time.monotonic() - began:.0f} s)"
        _append(log, message)
        print(message, file=sys.stderr, flush=True)
    return 0


class _LogFile(logging.FileHandler):
    """A log that no full disk stops: what ends the work then says so itself."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing, in place of a traceback for each line."""

    def close(self) -> None:
        """As of the class; what cannot be written is lost."""
        with suppress(OSError):
            super().close()


@contextmanager
def _messages(log: Path | None) -> Iterator[None]:
    """What the package reports while it works goes to stderr, and to the log file."""
    handlers: list[logging.Handler] = [logging.NullHandler()]
    if rank() == 0:
        handlers = [logging.StreamHandler(sys.stderr)]
    if log and rank() == 0:
        handlers.append(_LogFile(log, encoding="utf-8"))
    logger = logging.getLogger("hfpl")
    level = logger.level
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _append(log: Path | None, text: str) -> None:
    if log and text:
        with suppress(OSError):  # The disk may be full, which is what the text says.
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(text.rstrip() + "\n")
