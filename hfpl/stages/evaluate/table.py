"""One table of all scores of a variant."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from hfpl.jobs.settings import Settings
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
    "miou",
    "contour_f",
    "contour_precision",
    "contour_recall",
)
"""Columns that every row has, in the order they are shown."""

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
    named = {"dataset": settings.dataset, "variant": variant}
    rows = [{**named, **row} for part in parts for row in read_rows(part, LEADING[2:])]
    rows.sort(key=lambda row: row["split"])
    write_json(json, {"rows": rows})
    write_text(csv, table_as_csv(rows))
    write_json(metrics, metrics_of(rows))
    return f"table of {settings.dataset}, {variant}" + ("" if rows else f"; {NO_SCORES}")


def metrics_of(rows: Sequence[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """The means of a table for ``dvc metrics``: split → what was scored → score in percent."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        post = "" if row["post_processing"] == NONE else f" + {row['post_processing']}"
        chosen = "" if row["threshold"] is None else f", threshold {row['threshold_chosen']}"
        found.setdefault(row["split"], {})[f"{row['stage']}{post}{chosen}"] = {
            "miou": row["miou"],
            "contour_f": row["contour_f"],
        }
    return found


def read_rows(path: Path, columns: Sequence[str] = LEADING) -> list[dict]:
    """Rows of a file of scores, none where no image had a ground truth.

    Raises:
        ValueError: the file holds no list of rows, or a row lacks a column.
    """
    content = read_json(path)
    rows = content.get("rows") if isinstance(content, dict) else None
    needed = {*columns, "iou", "contour_f_per_class"}
    if not (isinstance(rows, list) and all(isinstance(r, dict) and needed <= set(r) for r in rows)):
        raise ValueError(f"{path}: not a table of scores")
    return rows


def table_as_csv(rows: list[dict]) -> str:
    """Rows as CSV; the scores per class follow as columns ``iou:<class>``."""
    flat = [
        {
            **{k: row[k] for k in LEADING},
            **{f"iou:{name}": value for name, value in row["iou"].items()},
            **{f"contour_f:{name}": value for name, value in row["contour_f_per_class"].items()},
        }
        for row in rows
    ]
    buffer = io.StringIO()
    columns = list(flat[0]) if flat else list(LEADING)
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def table_as_text(rows: list[dict]) -> str:
    """Rows as aligned text for a terminal."""
    if not rows:
        return NO_SCORES
    head = ("split", "stage", "post-processing", "threshold", "images", "mIoU %", "contour F %")
    lines = [head]
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
                f"{row['miou']:.1f}",
                f"{row['contour_f']:.1f}",
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = (4, 5, 6)
    aligned = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*aligned, *_unseen(rows)])


def _unseen(rows: list[dict]) -> list[str]:
    """A line for each split whose means count classes that none of its masks shows."""
    found = {row["split"]: row for row in rows if row["unseen_classes"]}
    return [
        f"{split}: {row['unseen_classes']} of {len(row['iou']) - 1} classes are in no mask; they "
        "count with IoU 0, and with contour F 100 where they are not predicted"
        for split, row in found.items()
    ]
