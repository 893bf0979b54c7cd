"""Rows: what is kept of a finished run, small enough to be committed with the docs.

A row is named by a digest of the parameters and the code of all jobs behind it: the same run is not
made again where its row is there.
"""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hfpl.jobs.key import key_digest
from hfpl.params.root import Params
from hfpl.params.runs import run_parts
from hfpl.pipeline import JOBS
from hfpl.stages.evaluate.table import read_rows as read_scores
from hfpl.storage.atomic import read_json, write_json

ADDON = ("cam.isl.", "cam.fsl.")
"""Sections of the added losses."""
SCORES = ("split", "stage", "post_processing", "threshold", "threshold_chosen", "images", "miou",
          "contour_f")  # fmt: skip
"""Columns of the table of scores that a row keeps."""
_NEEDED = {"dataset", "run", "variant", "method", "isl", "fsl", "values", "changes", "seed",
           "device", "cores", "seconds", "scores"}  # fmt: skip


def run_digest(params: Params, content: object, *, final: bool) -> str:
    """Digest of all that a run's scores depend on.

    Args:
        params: of the run, see :func:`hfpl.params.load.resolve`.
        content: what the parameters do not say: of a folder its files, of given weights a hash.
        final: whether the run goes on to segmentation.
    """
    keys = {job: JOBS[job].key(params) for job in _jobs_behind(params, final)}
    return key_digest({"jobs": keys, "content": content})


def _jobs_behind(params: Params, final: bool) -> list[str]:
    names = list(JOBS)
    last = "evaluate_table" if final else "cam_infer"
    behind = [*names[: names.index(last) + 1], *([] if final else ["evaluate_cams"])]
    return [name for name in behind if JOBS[name].when(params)]


def write_row(
    params: Params,
    run: str,
    digest: str,
    scores: Path,
    device: str,
    logs: Iterable[Path],
    output: Path,
) -> None:
    """Write the row of a finished run.

    Args:
        params: of the run.
        scores: its table of scores, or that of its CAMs alone.
        device: that its networks were trained on.
        logs: benchmark files of its jobs, for the time they took; those that are there count.
    """
    variant = params.variants[params.variant]
    rows = read_scores(scores, SCORES)
    active = JOBS["cam_train"].values(params)
    row = {
        "dataset": params.dataset,
        "run": run,
        "variant": params.variant,
        "method": variant.method,
        "isl": variant.isl,
        "fsl": variant.fsl,
        "values": {key: active[key] for key in active if key.startswith(ADDON)},
        "changes": {k: v for k, v in run_parts(run)[1].items() if k != "seed"},
        "seed": variant.seed,
        "digest": digest,
        "device": device,
        "cores": os.cpu_count(),
        "seconds": round(_seconds(logs), 1),
        "scores": [{name: score[name] for name in SCORES} for score in rows],
    }
    write_json(output, row)


def read_rows(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of files.

    Raises:
        ValueError: a file is no row.
    """
    rows = []
    for path in paths:
        row = read_json(path)
        if not (isinstance(row, dict) and row.keys() >= _NEEDED):
            raise ValueError(f"{path}: not the row of a run; remove it")
        rows.append(row)
    return rows


def _seconds(logs: Iterable[Path]) -> float:
    """Running time, summed over benchmark files."""
    total = 0.0
    for path in filter(Path.is_file, logs):
        with path.open(encoding="utf-8", newline="") as file:
            total += sum(float(line["s"]) for line in csv.DictReader(file, delimiter="\t"))
    return total
