"""Means over seeds, and paired differences to each method's own baseline."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from hfpl.ablation.rows import ADDON
from hfpl.plugins.metrics import metrics_in

PLACE = ("device", "split", "stage", "post_processing", "threshold_chosen")
"""What must be equal for two scores to be compared."""


class Setting(NamedTuple):
    """What runs have in common that differ in their seed."""

    variant: str
    method: str
    isl: str
    fsl: bool
    changes: tuple[tuple[str, str], ...]


class Mean(NamedTuple):
    """Mean, sample standard deviation (None of one value) and number of values."""

    mean: float
    std: float | None
    count: int


class Difference(NamedTuple):
    """Mean difference of pairs: its standard error, half of its 95 % interval, and the two-sided
    p of a paired t-test; None of a single pair."""

    mean: float
    error: float | None
    half_width: float | None
    p: float | None
    pairs: int


def compare(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Comparison of runs: a row per setting and place, in the order in which they first come.

    Args:
        rows: of :mod:`hfpl.ablation.rows`; at most one per setting, seed and device. The metrics
            that all of them have are compared.

    Raises:
        ValueError: two rows are of one setting, seed and device.
    """
    scores: dict[tuple, dict[Setting, dict[int, Mapping[str, Any]]]] = {}
    values: dict[Setting, Mapping[str, Any]] = {}
    rows = list(rows)
    every = [score for row in rows for score in row["scores"]]
    common = set(every[0]).intersection(*every) if every else set()
    metrics = metrics_in(dict.fromkeys(common))
    for row in rows:
        setting = Setting(row["variant"], row["method"], row["isl"], row["fsl"],
                          tuple(sorted(row["changes"].items())))  # fmt: skip
        values[setting] = row["values"]
        for score in row["scores"]:
            place = tuple({**score, **row}[name] for name in PLACE)
            seeds = scores.setdefault(place, {}).setdefault(setting, {})
            if row["seed"] in seeds:
                raise ValueError(f"two rows of run {row['run']} on {row['device']}")
            seeds[row["seed"]] = score
    return [
        {
            **_compared(dict(zip(PLACE, place, strict=True)), setting, seeds, of_setting, metrics),
            "values": values[setting],
        }
        for place, of_setting in scores.items()
        for setting, seeds in of_setting.items()
    ]


def _compared(
    place: dict[str, Any],
    setting: Setting,
    seeds: Mapping[int, Mapping[str, Any]],
    others: Mapping[Setting, Mapping[int, Mapping[str, Any]]],
    metrics: Sequence[str],
) -> dict[str, Any]:
    base = others.get(baseline(setting, others), {}) if _has_addon(setting) else {}
    common = sorted(seeds.keys() & base.keys())
    thresholds = [score["threshold"] for score in seeds.values() if score["threshold"] is not None]
    found: dict[str, Any] = {
        **place,
        **setting._asdict(),
        "changes": dict(setting.changes),
        "seeds": sorted(seeds),
        "images": next(iter(seeds.values()))["images"],
        "threshold": float(np.mean(thresholds)) if thresholds else None,
    }
    for metric in metrics:
        values = [score[metric] for _, score in sorted(seeds.items())]
        pairs = [(seeds[seed][metric], base[seed][metric]) for seed in common]
        found[metric] = mean_of(values)._asdict()
        found[f"{metric}_difference"] = difference_of(pairs)._asdict() if pairs else None
    return found


def baseline(setting: Setting, others: Iterable[Setting]) -> Setting | None:
    """The plain method's setting, equal in all that is not of the added losses, or None."""
    kept = tuple(change for change in setting.changes if not change[0].startswith(ADDON))
    return next(
        (
            other
            for other in others
            if not _has_addon(other) and other.method == setting.method and other.changes == kept
        ),
        None,
    )


def _has_addon(setting: Setting) -> bool:
    return setting.fsl or setting.isl != "none"


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and sample standard deviation."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Mean(float(np.mean(values)), std, len(values))


def difference_of(pairs: Sequence[tuple[float, float]]) -> Difference:
    """First minus second of each pair: mean, and what a paired t-test says of it."""
    differences = [first - second for first, second in pairs]
    mean, std, count = mean_of(differences)
    if std is None:
        return Difference(mean, None, None, None, count)
    error = std / math.sqrt(count)
    half_width = float(stats.t.ppf(0.975, count - 1)) * error
    size = abs(mean) / error if error else math.inf if mean else 0.0
    return Difference(mean, error, half_width, float(2 * stats.t.sf(size, count - 1)), count)
