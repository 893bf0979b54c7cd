"""One table of all scores of a variant."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hfpl.jobs.settings import Settings
from hfpl.plugins.metrics import columns_of, metrics_in
from hfpl.storage.atomic import read_json, write_json, write_text

FIXED, BEST, NONE = "fixed beforehand", "best against ground truth", "none"
"""How a threshold was chosen."""

LEADING = (
    "dataset",
    "variant",
    "split",
    "stage",
    "post_processing",
    "threshold",
    "threshold_chosen",
    "images",
    "unseen_classes",
)
"""Columns that every row has before those of the metrics, in the order they are shown."""

COUNTS = "counts"
"""Key of what a row's scores were computed of (:func:`hfpl.stages.evaluate.score.counts_of`); the
stages' files have it, the table does not."""

NO_SCORES = "No scores: no image has a ground truth."


def write_table(
    settings: Settings,
    *,
    parts: Sequence[Path],
    json: Path,
    csv: Path,
    metrics: Path,
    variant: str,
) -> str:
    """Join the stages' scores, train before val, in the order of the stages; what was done.

    Args:
        json, csv, metrics: where the table goes: whole, for spreadsheets, and its means alone.
        variant: name of the run.

    Raises:
        ValueError: a part cannot be read.
    """
    measured = settings.evaluate.metrics
    columns = [*LEADING[2:], *(c for name in measured for c in row_keys(name))]
    rows = [
        {"dataset": settings.dataset, "variant": variant, **_without_counts(row)}
        for part in parts
        for row in read_rows(part, columns)
    ]
    rows.sort(key=lambda row: row["split"])
    write_json(json, {"rows": rows})
    write_text(csv, table_as_csv(rows, measured))
    write_json(metrics, metrics_of(rows, measured))
    return f"table of {settings.dataset}, {variant}" + ("" if rows else f"; {NO_SCORES}")


def row_keys(metric: str) -> tuple[str, ...]:
    """Keys of a metric's scores in a row: its means, and the scores per class."""
    columns = columns_of(metric)
    return *columns.means, columns.per_class


def _without_counts(row: dict) -> dict:
    return {key: value for key, value in row.items() if key != COUNTS}


def metrics_of(
    rows: Sequence[dict], metrics: Sequence[str]
) -> dict[str, dict[str, dict[str, float]]]:
    """The means of a table for ``dvc metrics``: split → what was scored → score in percent."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        post = "" if row["post_processing"] == NONE else f" + {row['post_processing']}"
        chosen = "" if row["threshold"] is None else f", threshold {row['threshold_chosen']}"
        found.setdefault(row["split"], {})[f"{row['stage']}{post}{chosen}"] = {
            name: row[name] for name in metrics
        }
    return found


def read_rows(path: Path, columns: Sequence[str] = LEADING) -> list[dict]:
    """Rows of a file of scores, none where no image had a ground truth.

    Raises:
        ValueError: the file holds no list of rows, or a row lacks a column.
    """
    content = read_json(path)
    rows = content.get("rows") if isinstance(content, dict) else None
    needed = set(columns)
    if not (isinstance(rows, list) and all(isinstance(r, dict) and needed <= set(r) for r in rows)):
        raise ValueError(f"{path}: not a table of scores")
    return rows


def table_as_csv(rows: Sequence[dict], metrics: Sequence[str]) -> str:
    """Rows as CSV; behind the means the scores per class as columns ``iou:<class>``."""
    every = [columns_of(name) for name in metrics]
    leading = [*LEADING, *(mean for columns in every for mean in columns.means)]
    flat = [
        {
            **{k: row[k] for k in leading},
            **{c.of_class(name): value for c in every for name, value in row[c.per_class].items()},
        }
        for row in rows
    ]
    buffer = io.StringIO()
    columns = list(flat[0]) if flat else leading
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def table_as_text(rows: Sequence[dict]) -> str:
    """Rows as aligned text for a terminal, with every metric that they hold."""
    if not rows:
        return NO_SCORES
    metrics = metrics_in(rows[0])
    titles = [f"{columns_of(name).title} %" for name in metrics]
    lines = [("split", "stage", "post-processing", "threshold", "images", *titles)]
    for row in rows:
        threshold = (
            ""
            if row["threshold"] is None
            else (f"{row['threshold']:.2f} ({row['threshold_chosen']})")
        )
        lines.append(
            (
                row["split"],
                row["stage"],
                row["post_processing"],
                threshold,
                str(row["images"]),
                *(f"{row[name]:.1f}" for name in metrics),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numbers = 4  # the first column of numbers, which stand at the right
    aligned = [
        "  ".join(
            cell.rjust(width) if i >= numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*aligned, *_unseen(rows)])


def _unseen(rows: Sequence[dict]) -> list[str]:
    """A line for each split with classes that none of its masks shows."""
    lines = []
    for split, row in {row["split"]: row for row in rows if row["unseen_classes"]}.items():
        of_classes = row[columns_of(metrics_in(row)[0]).per_class]
        names = [name for name, score in of_classes.items() if score is None]
        known = len(of_classes) - ("background" in of_classes)
        lines.append(
            f"{split}: {row['unseen_classes']} of {known} classes are in no mask and count in no "
            f"mean: {', '.join(names)}"
        )
    return lines
