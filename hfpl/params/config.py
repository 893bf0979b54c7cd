"""What Snakemake's --config may say: places of files and the machine, nothing of results."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hfpl.params.load import ParamsError
from hfpl.sections.suggest import suggest

MOST_THREADS, MOST_WORKERS, MOST_GPUS = 1024, 256, 1024


@dataclass(frozen=True)
class Config:
    """Settings of a run.

    Attributes:
        params: parameter file.
        results: folder of all results.
        downloads: folder of downloaded archives; local copies may lie there.
        rows: folder of what finished runs of an ablation scored.
        threads: of a training; byte identity on CPU holds at equal threads.
        workers: processes that load images for a training; ``auto``: as many as cores are free.
        gpu: GPUs of a training, others take one; None: 1 where there is one, and on a cluster.
        gpu_model: of a cluster's GPUs; any where it is empty.
    """

    params: str = "params.yaml"
    results: str = "results"
    downloads: str = "downloads"
    rows: str = "docs/ablation"
    threads: int = 2
    workers: int | str = "auto"
    gpu: int | None = None
    gpu_model: str = ""


def read_config(given: Mapping[str, Any]) -> Config:
    """Settings from what --config says; paths are normalised, so that each has one spelling.

    Raises:
        ParamsError: a name is unknown or a value cannot be.
    """
    known = [field.name for field in fields(Config)]
    for name in given:
        if name not in known:
            raise ParamsError(
                f"--config {name}: unknown{suggest(name, known)} "
                "(parameters belong into params.yaml, see 'hfpl params --help')"
            )
    read = {
        **dict.fromkeys(("params", "results", "downloads", "rows"), _path),
        "threads": lambda name, value: _count(name, value, 1, MOST_THREADS),
        "workers": _workers,
        "gpu": lambda name, value: _count(name, value, 0, MOST_GPUS),
        "gpu_model": _word,
    }
    return Config(**{name: read[name](name, value) for name, value in given.items()})


def _path(name: str, value: Any) -> str:
    text = "" if value is None else str(value)
    # Braces are wildcards of Snakemake, and no path of a person's has control characters.
    if not text.strip() or re.search(r"^-|[{}\x00-\x1f\x7f]", text):
        raise ParamsError(
            f"--config {name}={text!r}: expected a path without braces, control characters or a "
            "dash at its beginning"
        )
    whole, here = os.path.normpath(text), os.getcwd()
    # What lies below this folder is named from here, however it was given.
    return os.path.relpath(whole) if whole.startswith(f"{here}{os.sep}") else whole


def _count(name: str, value: Any, least: int, most: int) -> int:
    # Snakemake reads 'threads=two' as text, 'threads=1.5' and 'threads=true' as what YAML says.
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,9}", str(value)):
        raise ParamsError(f"--config {name}={value}: expected a whole number")
    if not least <= int(value) <= most:
        raise ParamsError(f"--config {name}={value}: expected {least} to {most}")
    return int(value)


def _workers(name: str, value: Any) -> int | str:
    return "auto" if value == "auto" else _count(name, value, 0, MOST_WORKERS)


def _word(name: str, value: Any) -> str:
    text = "" if value is None else str(value)
    if not re.fullmatch(r"[A-Za-z0-9_.:+-]*", text):
        raise ParamsError(f"--config {name}={text!r}: expected letters, digits and . : _ + -")
    return text
