"""The curves of what has been measured, in one figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from hfpl.stages.report.plots import plot_style, save_figure
from hfpl.stages.report.style import ACCENT, DEEP, MIDDLE, MUTED
from studies.scale.page import by_number, stages_of

Line = tuple[Sequence[float], Sequence[float]]
"""Places and values."""
_TRAININGS = ("cam", "affinity", "segment", "cam train", "segment train")
_PLAN_LINES = {
    "plan": DEEP,
    "index": MIDDLE,
    "dvc commit": MUTED,
    "dvc status": ACCENT,
}
_LIMIT = 15
"""Seconds that a plan may take."""
_LINE = 0.05
"""Height of a name, as a share of a panel's."""


def draw(measured: Mapping[str, Any], path: Path) -> None:
    """Write the figure (.png)."""
    with plot_style():
        save_figure(curves(measured), path)


def curves(measured: Mapping[str, Any]) -> Figure:
    """Four panels; one is empty where its part has not been measured."""
    figure = Figure(figsize=(5.6, 14), layout="constrained")
    time, memory, size, plan = figure.subplots(4)
    runs = by_number(measured.get("stages", {}).get("micro", {}))
    cpu, peak = ({s: (list(runs), [run[s][key] for run in runs.values()]) for s in stages_of(runs)}
                 for key in ("cpu", "MB"))  # fmt: skip
    jobs = {j: by_number(c) for j, c in measured.get("sizes", {}).items() if j != "on"}
    per_image = {
        job: ([side**2 for side in costs], [1000 * cost["cpu"] for cost in costs.values()])
        for job, costs in jobs.items()
    }
    _panel(time, "Time of the stages", "images of the set", "processor seconds", cpu)
    _panel(memory, "Memory of the stages", "images of the set", "MB, peak of a job", peak, "linear")
    _panel(size, "Time of an image", "pixels of an image", "processor milliseconds", per_image)
    _plan_panel(plan, measured.get("plan", {}))
    return figure


def _panel(
    axes: Axes, title: str, x: str, y: str, lines: Mapping[str, Line], scale: str = "log"
) -> None:
    """A line per name, which stands at its end."""
    axes.set(title=title, xlabel=x, ylabel=y, xscale="log", yscale=scale)
    for name, (places, values) in lines.items():
        axes.plot(places, values, "o-", color=_colour(name), markersize=4)
    if scale == "linear":
        axes.set_ylim(bottom=0)
    _tick_at(axes, sorted({place for places, _ in lines.values() for place in places}))
    _name_ends(axes, {name: line for name, line in lines.items() if line[0]})


def _plan_panel(axes: Axes, found: Mapping[str, Any]) -> None:
    axes.set(title="Around the stages", xlabel="images of the set", ylabel="processor seconds",
             xscale="log", yscale="log")  # fmt: skip
    places: set[int] = set()
    ends = {}
    for layout, style in (("folder", (0, (4, 2))), ("zip", "-")):
        values = by_number(found.get(layout, {}))
        places |= values.keys()
        for key, colour in _PLAN_LINES.items():
            line = list(values), [row[key] for row in values.values()]
            axes.plot(*line, marker="o", linestyle=style, color=colour, markersize=4)
            if values:
                ends[key] = line
        if values:
            axes.plot([], [], color=MUTED, linestyle=style, label=f"pictures in a {layout}")
    axes.axhline(_LIMIT, color=MUTED, linewidth=1, linestyle=":", label="limit of a plan, 15 s")
    axes.legend(loc="upper left", fontsize=8, frameon=True, edgecolor="none", framealpha=1)
    _tick_at(axes, sorted(places))
    _name_ends(axes, ends)


def _colour(name: str) -> str:
    if name in _TRAININGS:
        return DEEP
    return MUTED if name in ("data", "pretrain", "report") else MIDDLE


def _tick_at(axes: Axes, places: Sequence[float]) -> None:
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places, [f"{place:,}" for place in places])
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _name_ends(axes: Axes, lines: Mapping[str, Line]) -> None:
    """Names beside the last values, pushed apart where they would cover each other."""
    axes.figure.draw_without_rendering()
    into = axes.transAxes.inverted()
    ends = {name: (places[-1], values[-1]) for name, (places, values) in lines.items()}
    heights = {name: into.transform(axes.transData.transform(end))[1] for name, end in ends.items()}
    for name, at in spread(heights, _LINE).items():
        colour = _PLAN_LINES.get(name, _colour(name))
        axes.annotate(
            name, ends[name], (1.03, at), textcoords="axes fraction", va="center", fontsize=8.5,
            color=colour, arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5},
        )  # fmt: skip


def spread(heights: Mapping[str, float], distance: float) -> dict[str, float]:
    """Heights, shares of a panel, moved so that all are so far apart and none is above the top."""
    found = {}
    lowest = 0.0
    for name in sorted(heights, key=heights.__getitem__):
        found[name] = max(heights[name], lowest)
        lowest = found[name] + distance
    highest = 1.0
    for name in reversed(found):
        found[name] = min(found[name], highest)
        highest = found[name] - distance
    return found
