"""The comparison as a figure: the methods with their added losses, and the sweeps below them."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hfpl.ablation.tables import Row, added_losses, place_name, places_of, rows_at
from hfpl.plugins.metrics import columns_of, metrics_in
from hfpl.stages.cam.params import SUPERVISED
from hfpl.stages.report.plots import blank_figure
from hfpl.stages.report.style import ACCENT, DEEP, INK, MIDDLE, MUTED

_COLOURS = (MIDDLE, ACCENT, DEEP)
"""Of the metrics, in turn."""
_WIDTH, _SWEEPS_PER_LINE = 5.2, 2
"""Inches: on a phone, letters of 9 points are about as wide then as those around the figure."""
_DASHED = {"linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 1}
Point = tuple[str, Row]
"""A value as it is written, and the row of the runs that have it."""


def comparison_figure(rows: Sequence[Row], split: str, title: str) -> Figure:
    """Means and deviations of a split, of the device that has most settings.

    Args:
        rows: of :func:`hfpl.ablation.compare.compare`.
        split: ``val``, say.
        title: of the whole.
    """
    # The ceiling has no places in common with the runs that learn from tags; the table has it.
    here = [row for row in rows if row["split"] == split and row["method"] != SUPERVISED]
    if not here:
        return blank_figure(title, "No scores.")
    devices = [row["device"] for row in here]
    device = max(dict.fromkeys(devices), key=devices.count)
    here = [row for row in here if row["device"] == device]
    places = [rows_at(here, place) for place in places_of(here, split)]
    curves = sweeps(places[0])
    settings = sum(1 for row in places[0] if not row["changes"])
    heights = [1.0 + 0.22 * settings] * len(places)
    if curves:
        heights.append(2.1 * math.ceil(len(curves) / _SWEEPS_PER_LINE))
    figure = Figure(figsize=(_WIDTH, 0.5 + sum(heights)), layout="constrained")
    figure.suptitle(title, x=0.012, ha="left", fontsize=12, fontweight="bold")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    ranges: dict[str, Axes] = {}
    for part, place in zip(parts, places, strict=False):
        _draw_place(part, [row for row in place if not row["changes"]], ranges)
    if curves:
        _draw_sweeps(parts[-1], curves)
    return figure


def sweeps(rows: Sequence[Row]) -> dict[tuple[str, str], list[Point]]:
    """Variant and key → points in ascending order, the variant's own value among them."""
    found: dict[tuple[str, str], list[Point]] = {}
    for row in rows:
        if len(row["changes"]) == 1:
            ((key, value),) = row["changes"].items()
            found.setdefault((row["variant"], key), []).append((value, row))
    for (variant, key), points in found.items():
        own = (row for row in rows if row["variant"] == variant and not row["changes"])
        points += [(str(row["values"][key]), row) for row in own if key in row["values"]]
        points.sort(key=lambda point: _order(point[0]))
    return found


def _order(value: str) -> tuple[bool, float, str]:
    try:
        return False, float(value), value
    except ValueError:
        return True, 0.0, value


def _draw_place(part: Figure, rows: Sequence[Row], ranges: dict[str, Axes]) -> None:
    """A place: a panel per metric, whose range is that of ``ranges``, or becomes it."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    ordered = sorted(rows, key=lambda row: methods.index(row["method"]))
    metrics = metrics_in(rows[0])
    panels = part.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        first = ranges.setdefault(metric, axes)
        if first is not axes:
            axes.sharex(first)
        _draw_metric(axes, ordered, metric)
    part.suptitle(place_name(rows[0]), x=0.012, ha="left", fontsize=9, color=MUTED)
    panels[0].set_yticks(range(len(ordered)), map(_line_name, ordered), color=INK, fontsize=9)
    panels[0].set_ylim(len(ordered) - 0.4, -0.6)


def _draw_metric(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """A line per setting with its mean and deviation; the plain method's mean through its lines."""
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [k for k, row in enumerate(rows) if row["method"] == method]
        for k in own:
            plain = added_losses(rows[k]) == "none"
            _dot(axes, rows[k][metric], k, MUTED if plain else _colour(rows[k], metric))
            if plain:
                through = [rows[k][metric]["mean"]] * 2
                axes.plot(through, [own[0] - 0.4, own[-1] + 0.4], color=MUTED, **_DASHED)
    axes.set(xlabel=_name(metric))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _name(metric: str) -> str:
    return f"{columns_of(metric).title}, %"


def _colour(row: Row, metric: str) -> str:
    return _COLOURS[metrics_in(row).index(metric) % len(_COLOURS)]


def _line_name(row: Row) -> str:
    """The method, and below it what was added."""
    added = added_losses(row)
    return row["method"] if added == "none" else f"+ {added}"


def _dot(axes: Axes, found: dict, y: float, colour: str) -> None:
    deviation = found["std"] or 0
    axes.errorbar(found["mean"], y, xerr=deviation, color=colour, marker="o", capsize=3)


def _draw_sweeps(part: Figure, curves: dict[tuple[str, str], list[Point]]) -> None:
    lines = math.ceil(len(curves) / _SWEEPS_PER_LINE)
    panels = list(part.subplots(lines, _SWEEPS_PER_LINE, sharey=True, squeeze=False).flat)
    for axes, ((variant, key), points) in zip(panels, curves.items(), strict=False):
        places = range(len(points))
        for metric in metrics_in(points[0][1]):
            means = [row[metric]["mean"] for _, row in points]
            deviations = [row[metric]["std"] or 0 for _, row in points]
            colour = _colour(points[0][1], metric)
            axes.errorbar(places, means, deviations, color=colour, marker="o", capsize=3,
                          label=_name(metric))  # fmt: skip
        axes.set_xticks(places, [value for value, _ in points])
        axes.set_title(f"{variant}\n{key.removeprefix('cam.')}", fontsize=9, color=DEEP)
        axes.margins(x=0.15)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=8)
