"""How long the runs that are left will take, by what finished ones took."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from hfpl.stages.cam.params import Variant


def seconds_left(variants: Iterable[Variant], rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Seconds that runs of variants will take one after another, None where no row tells.

    A run takes as long as the mean of the finished runs most like it: of the same method with the
    same losses, else of the same method, else of any.
    """
    if not rows:
        return None
    return sum(_like(variant, rows) for variant in variants)


def _like(variant: Variant, rows: Sequence[Mapping[str, Any]]) -> float:
    keys = ("method", "isl", "fsl")
    for depth in (3, 1, 0):
        alike = [
            row["seconds"]
            for row in rows
            if all(row[key] == getattr(variant, key) for key in keys[:depth])
        ]
        if alike:
            return fmean(alike)
    raise AssertionError("unreachable: there are rows")


def in_words(seconds: float) -> str:
    """A duration as a person says it: ``2 h 40 min``, ``3 min``, ``20 s``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]))
