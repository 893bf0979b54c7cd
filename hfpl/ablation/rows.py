"""Rows: what is kept of finished runs, one CSV per comparison, small enough to be committed.

A run is known by its key: a digest of the parameters and of the versions of the code behind its
scores. A run whose key is there is not made again.
"""

import csv
import fcntl
import io
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hfpl.jobs.key import key_digest
from hfpl.params.root import Params
from hfpl.params.runs import run_parts
from hfpl.pipeline import JOBS
from hfpl.plugins.metrics import MIOU
from hfpl.stages.evaluate.table import read_rows as read_scores
from hfpl.storage.atomic import write_text

ADDON = ("cam.isl.", "cam.fsl.")
"""Sections of the added losses."""
SCORES = ("split", "stage", "post_processing", "threshold", "threshold_chosen", "images")
"""Columns of the table of scores that a row keeps, besides the means of the metrics."""
OF_RUN = ("key", "run", "dataset", "variant", "method", "isl", "fsl", "seed", "changes", "values",
          "commit", "device", "cores", "seconds")  # fmt: skip
"""Columns that all scores of a run have in common."""
COUNTS = "counts"
"""Column of what the scores were computed of, per class, as JSON; empty in rows of before."""
_TEXT = {"key", "run", "dataset", "variant", "method", "isl", "commit", "device", "split", "stage",
         "post_processing", "threshold_chosen"}  # fmt: skip
"""Columns that are text as it is; all others, those of the metrics among them, are JSON."""


def run_key(params: Params, content: object, *, final: bool) -> str:
    """Digest of all that a run's scores depend on.

    Metrics do not count: a row keeps what its scores were computed of, and another metric is no
    reason to train again.

    Args:
        params: of the run, see :func:`hfpl.params.load.resolve`.
        content: what the parameters do not say: of a folder its files, of given weights a hash.
        final: whether the run goes on to segmentation.
    """
    keys = {name: _without_metrics(JOBS[name].key(params)) for name in _jobs_behind(params, final)}
    return key_digest({"jobs": keys, "content": content})


def _without_metrics(key: dict[str, Any]) -> dict[str, Any]:
    units = (unit for unit in key["code"].split(", ") if not unit.startswith("metrics/"))
    kept = {name: value for name, value in key.items() if name != "evaluate.metrics"}
    return {**kept, "code": ", ".join(units)}


def _jobs_behind(params: Params, final: bool) -> list[str]:
    names = list(JOBS)
    last = "evaluate_table" if final else "cam_infer"
    rest = [] if final else ["cam_calibrate", "evaluate_cams"]
    behind = [*names[: names.index(last) + 1], *rest]
    return [name for name in behind if JOBS[name].when(params) and name != "segment_model"]


def make_row(
    params: Params, run: str, key: str, scores: Path, device: str, logs: Iterable[Path]
) -> dict[str, Any]:
    """The row of a finished run.

    Args:
        params: of the run.
        scores: its table of scores, or that of its CAMs alone.
        device: that its networks were trained on.
        logs: benchmark files of its jobs, for the time they took; those that are there count.
    """
    variant = params.chosen_variant
    active = JOBS["cam_train"].values(params)
    kept = (*SCORES, *params.evaluate.metrics)
    return {
        "key": key,
        "run": run,
        "dataset": params.dataset,
        "variant": params.variant,
        "method": variant.method,
        "isl": variant.isl,
        "fsl": variant.fsl,
        "seed": variant.seed,
        "changes": {k: v for k, v in run_parts(run)[1].items() if k != "seed"},
        "values": {key: active[key] for key in active if key.startswith(ADDON)},
        "commit": _commit(),
        "device": device,
        "cores": os.cpu_count(),
        "seconds": round(_seconds(logs), 1),
        "scores": [
            {**{name: score[name] for name in kept}, COUNTS: score.get(COUNTS)}
            for score in read_scores(scores, kept)
        ],
    }


def add_row(file: Path, row: Mapping[str, Any]) -> None:
    """Add a run to a comparison's CSV, in place of one with its key; several may do so at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("a") as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        others = [other for other in read_rows([file]) if other["key"] != row["key"]]
        write_text(file, rows_as_csv([*others, row]))


def rows_as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV, a line per score, sorted by run; text as it is, all else as JSON.

    A metric that some rows were not measured by is empty there.
    """
    ordered = sorted(rows, key=lambda row: (row["run"], row["device"], row["key"]))
    buffer = io.StringIO()
    columns = (*OF_RUN, *SCORES, *_measured(ordered), COUNTS)
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for row in ordered:
        for score in row["scores"]:
            line = {**{name: row[name] for name in OF_RUN}, **score}
            writer.writerow({k: v if k in _TEXT else _cell(v) for k, v in line.items()})
    return buffer.getvalue()


def _measured(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Metrics that some score has, also those whose file is gone: mIoU first, others by name."""
    every = {name for row in rows for score in row["scores"] for name in score}
    return sorted(every - {*SCORES, COUNTS}, key=lambda name: (name != MIOU, name))


def _cell(value: Any) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def read_rows(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Runs of comparisons' CSV files, in their order; none of a file that is not there.

    Raises:
        ValueError: a file is none; the message names it.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in filter(Path.is_file, files):
        try:
            with file.open(encoding="utf-8", newline="") as text:
                lines = csv.DictReader(text)
                if not {*OF_RUN, *SCORES, COUNTS} <= set(lines.fieldnames or ()):
                    raise ValueError("other columns")
                for line in lines:
                    if None in line.values():
                        raise ValueError(f"line {lines.line_num} is cut off")
                    cells = {k: _value(k, v) for k, v in line.items()}
                    run = {name: cells.pop(name) for name in OF_RUN}
                    row = found.setdefault(run["key"], {**run, "scores": []})
                    score = {name: cells.pop(name) for name in (*SCORES, COUNTS)}
                    measured = {name: value for name, value in cells.items() if value is not None}
                    row["scores"].append({**score, **measured})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{file}: not the rows of a comparison: {error}; restore it") from None
    return list(found.values())


def _value(name: str, text: str) -> Any:
    if name in _TEXT:
        return text
    return json.loads(text) if text else None


def _commit() -> str:
    """The commit that is checked out, with a + where files differ from it; empty without git."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--match="]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _seconds(logs: Iterable[Path]) -> float:
    """Running time, summed over benchmark files."""
    total = 0.0
    for path in filter(Path.is_file, logs):
        with path.open(encoding="utf-8", newline="") as file:
            total += sum(float(line["s"]) for line in csv.DictReader(file, delimiter="\t"))
    return total
