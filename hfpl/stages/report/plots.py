"""Plots: threshold curve, scores per class, training curves."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from hfpl.plugins.metrics import columns_of, metrics_in
from hfpl.stages.evaluate.table import BEST, FIXED
from hfpl.stages.report.names import drawable, short_names, typeface
from hfpl.stages.report.style import ACCENT, DEEP, INK, MIDDLE, MUTED, PALE, PLOT_STYLE
from hfpl.storage.atomic import replacing

History = Mapping[str, Sequence[float]]
"""Column → values; ``step``, ``total`` and the terms of the loss."""
_SPLIT_COLOURS = {"train": MIDDLE, "val": ACCENT}
_STAGE_COLOURS = (PALE, MIDDLE, DEEP)
# Where the two meet, the dot lies inside the ring and both are seen.
_MARK = {"linestyle": "", "marker": "o"}
_RING = {**_MARK, "markersize": 11, "markeredgewidth": 2, "markerfacecolor": "white", "zorder": 3}
_DOT = {**_MARK, "markersize": 6, "zorder": 4}


def threshold_curve(
    thresholds: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    rows: Sequence[Mapping[str, object]],
    title: str,
) -> Figure:
    """mIoU of the CAMs over the background's score, a line per split.

    Args:
        thresholds: T scores of the background.
        curves: for each split T values in percent.
        rows: of the CAMs, at the fixed threshold and at the best one of each split.
        title: of the whole plot.
    """
    figure = Figure(figsize=(7.4, 4.6), layout="constrained")
    axes = figure.subplots()
    marks = {(row["split"], row["threshold_chosen"]): row for row in rows}
    for split, curve in curves.items():
        colour = _SPLIT_COLOURS.get(split, INK)
        fixed, best = marks[split, FIXED], marks[split, BEST]
        text = (
            f"{split}: {fixed['miou']:.1f} at {fixed['threshold']:g}, "
            f"best {best['miou']:.1f} at {best['threshold']:g}"
        )
        axes.plot(thresholds, curve, color=colour, linewidth=2.2, label=text)
        axes.plot(fixed["threshold"], fixed["miou"], color=colour, **_RING)
        axes.plot(best["threshold"], best["miou"], color=colour, **_DOT)
    axes.axvline(fixed["threshold"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.plot([], [], color=MUTED, label="threshold fixed beforehand", **_RING)
    axes.plot([], [], color=MUTED, label="best against ground truth", **_DOT)
    axes.set(xlabel="threshold (score of the background)", ylabel="mIoU of the CAMs (%)")
    _add_title(figure, title)
    axes.margins(x=0.02, y=0.12)
    figure.legend(loc="outside lower left", ncols=2, labelcolor=INK)
    return figure


def blank_figure(title: str, text: str) -> Figure:
    """A picture that says why there is no plot."""
    figure = Figure(figsize=(7.4, 3.2), layout="constrained")
    _add_title(figure, title)
    figure.text(0.012, 0.5, text, color=MUTED)
    return figure


def class_bars(
    classes: Sequence[str], rows: Mapping[str, Mapping[str, object]], title: str
) -> Figure:
    """Scores of every class, a bar per stage; a panel per metric.

    Args:
        classes: foreground classes in their order.
        rows: name of a stage → its row of the table; at most three, one at least.
        title: of the whole plot.
    """
    names = ["mean", "background", *classes]
    height = max(2.6, 1.5 + 0.46 * len(names))
    metrics = metrics_in(next(iter(rows.values())))
    figure = Figure(figsize=(4.6 * len(metrics), height), layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        columns = columns_of(metric)
        values = [[r[metric], *_per_class(r[columns.per_class], names[1:])] for r in rows.values()]
        _bars(axes, values, list(rows))
        heading = columns.class_title
        axes.set(title=heading[0].upper() + heading[1:], xlabel="%", xlim=(0, 100))
    labels, in_full = short_names(names)
    panels[0].set_yticks(range(len(names)), labels, color=INK)
    for tick, label in zip(panels[0].get_yticklabels(), labels, strict=True):
        tick.set_fontproperties(FontProperties(fname=typeface(label), size=10))
    if in_full:
        figure.supxlabel(in_full, x=0.012, ha="left", fontsize=7, color=MUTED)
    panels[0].get_yticklabels()[0].set_fontproperties(
        FontProperties(fname=typeface("mean", "-Bold"), size=10)
    )
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    _add_title(figure, f"{title}\n")
    # The line left free below the title: at the bottom of twenty classes none would look for it.
    place = {"loc": "upper left", "bbox_to_anchor": (0.012, 1 - 0.35 / height)}
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=len(rows), borderpad=0, borderaxespad=0, **place)
    return figure


def _per_class(scores: Mapping[str, float | None], names: Sequence[str]) -> list[float]:
    # Not every metric has a score of the background, and no mask may show a class.
    return [np.nan if scores.get(name) is None else scores[name] for name in names]


def _bars(axes: Axes, values: Sequence[Sequence[float]], stages: Sequence[str]) -> None:
    """Groups of horizontal bars, the mean's with its numbers."""
    thickness = 0.78 / len(stages)
    places = np.arange(len(values[0]))
    for k, (stage, row) in enumerate(zip(stages, values, strict=True)):
        at = places + (k - (len(stages) - 1) / 2) * thickness
        colour = _STAGE_COLOURS[k + len(_STAGE_COLOURS) - len(stages)]
        axes.barh(at, row, thickness * 0.92, color=colour, label=stage)
        axes.text(row[0] + 1.2, at[0], f"{row[0]:.1f}", va="center", fontsize=8, color=INK)
    axes.axhline(0.5, color=MUTED, linewidth=0.8)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def training_curves(histories: Mapping[str, History], title: str) -> Figure:
    """Loss of every training: totals above, what else was recorded in small below.

    Args:
        histories: name of a stage → its history.
        title: of the whole plot.
    """
    terms = [
        (stage, name)
        for stage, history in histories.items()
        for name in history
        if name not in ("step", "total")
    ]
    columns = max(3, len(histories))
    heights = [2.5, *[1.5] * math.ceil(len(terms) / columns)]
    figure = Figure(figsize=(11, 0.6 + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for k, (stage, history) in enumerate(histories.items()):
        axes = figure.add_subplot(grid[0, k])
        axes.plot(history["step"], history["total"], color=DEEP, linewidth=2.2)
        axes.set(title=f"{stage}: total loss", xlabel="step")
        _few_ticks(axes)
    for k, (stage, name) in enumerate(terms):
        axes = figure.add_subplot(grid[1 + k // columns, k % columns])
        axes.plot(histories[stage]["step"], histories[stage][name], color=MIDDLE)
        axes.set_title(f"{stage}: {name}", fontsize=9, fontweight="normal")
        axes.tick_params(labelsize=8)
        _few_ticks(axes)
    _add_title(figure, title)
    return figure


def _add_title(figure: Figure, title: str) -> None:
    figure.suptitle(drawable(title), x=0.012, ha="left", fontsize=13, fontweight="bold")


def _few_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))


@contextmanager
def plot_style() -> Iterator[None]:
    """Settings in which figures are made and saved; a user's own settings do not count."""
    with matplotlib.style.context(PLOT_STYLE, after_reset=True):
        yield


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG; equal figures give equal bytes."""
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
