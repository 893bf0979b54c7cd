"""The comparison as CSV and as Markdown."""

import csv
import io
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from hfpl.ablation.compare import PLACE
from hfpl.plugins.metrics import columns_of, metrics_in
from hfpl.stages.evaluate.table import NONE

Row = Mapping[str, Any]
"""A row of :func:`hfpl.ablation.compare.compare`."""

NOTE = (
    "Mean ± standard deviation over seeds. A difference is that of equal seeds to the same method "
    "without the added losses, ± its standard error, with the 95 % interval and the p of a paired "
    "t-test."
)


def as_csv(rows: Sequence[Row]) -> str:
    """All columns; of a metric there are several, such as ``miou_difference_p``."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    measured = {name for metric in metrics_in(row) for name in (metric, f"{metric}_difference")}
    flat = {name: row[name] for name in row if name not in measured | {"values"}}
    flat["changes"] = changed_values(row)
    flat["seeds"] = " ".join(map(str, row["seeds"]))
    for name in sorted(measured, key=list(row).index):
        flat |= {f"{name}_{part}": value for part, value in (row[name] or {}).items()}
    return flat


def facts_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """What was run, on what and for how long: a line per device, of the rows of runs."""
    lines = []
    for device in dict.fromkeys(run["device"] for run in runs):
        own = [run for run in runs if run["device"] == device]
        seeds = ", ".join(map(str, sorted({run["seed"] for run in own})))
        cores = ", ".join(map(str, sorted({run["cores"] for run in own})))
        lines.append(
            f"Data set `{own[0]['dataset']}`, {len(own)} runs with seeds {seeds}, trained on "
            f"{device} ({cores} cores), {fmean(run['seconds'] for run in own):.0f} s per run."
        )
    return "\n".join(lines)


def as_markdown(rows: Sequence[Row], split: str, facts: Sequence[str]) -> str:
    """A table per place of a split: the methods with their added losses, then changed values.

    Args:
        facts: paragraphs that stand above; empty ones are left out.
    """
    blocks = [*filter(None, facts), NOTE]
    for place in places_of(rows, split):
        here = rows_at(rows, place)
        plain = [row for row in here if not row["changes"]]
        changed = [row for row in here if row["changes"]]
        blocks.append(f"**{place_name(here[0])}**")
        blocks.append(_table([("method", "method"), ("added", "")], plain))
        if changed:
            blocks.append(_table([("variant", "variant"), ("changed", "")], changed))
    return "\n\n".join(blocks) + "\n"


def places_of(rows: Sequence[Row], split: str) -> list[tuple]:
    """Places of a split that rows belong to, in their order."""
    return list(dict.fromkeys(_place(row) for row in rows if row["split"] == split))


def rows_at(rows: Sequence[Row], place: tuple) -> list[Row]:
    """Rows of a place."""
    return [row for row in rows if _place(row) == place]


def _place(row: Row) -> tuple:
    return tuple(row[name] for name in PLACE)


def place_name(row: Row) -> str:
    """Where a row's scores were taken, in words."""
    post = "" if row["post_processing"] == NONE else f" + {row['post_processing']}"
    chosen = "" if row["threshold_chosen"] == NONE else f", threshold {row['threshold_chosen']}"
    return f"{row['split']}, {row['images']} images, {row['stage']}{post}{chosen}; {row['device']}"


def added_losses(row: Row) -> str:
    """The added losses in words: ``ISL + FSL``."""
    isl = {"none": "", "binomial": "ISL"}.get(row["isl"], f"ISL ({row['isl']})")
    return " + ".join(filter(None, [isl, "FSL" if row["fsl"] else ""])) or "none"


def changed_values(row: Row) -> str:
    """Changed values in words: ``cam.fsl.mu = 3.0``."""
    return ", ".join(f"{key} = {value}" for key, value in row["changes"].items())


def _table(leading: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
    words = {"added": added_losses, "changed": changed_values}
    metrics = metrics_in(rows[0]) if rows else []
    heads = [*(head for head, _ in leading), "seeds"]
    for metric in metrics:
        heads += [f"{columns_of(metric).title} %", "difference"]
    numbers = len(heads) - len(leading)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(leading) + "---:|" * numbers]
    for row in rows:
        cells = [words[head](row) if head in words else row[name] for head, name in leading]
        cells.append(str(len(row["seeds"])))
        for metric in metrics:
            cells += [_mean(row[metric]), _difference(row[f"{metric}_difference"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(found: Mapping[str, Any]) -> str:
    return f"{found['mean']:.1f}" + ("" if found["std"] is None else f" ± {found['std']:.1f}")


def _difference(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    mean = found["mean"]
    if found["error"] is None:
        return f"{mean:+.1f}"
    low, high = mean - found["half_width"], mean + found["half_width"]
    return f"{mean:+.1f} ± {found['error']:.1f} ({low:+.1f} to {high:+.1f}, p {_p(found['p'])})"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
