"""What both added losses together do to each method's CAMs, of the rows of several comparisons.

    python -m studies.losses photographs=docs/ablation/animals/ablation.csv
                             drawings=docs/ablation/shapes/ablation.csv

Means over the seeds that a method has without and with the losses, on val, at the threshold that is
fixed beforehand.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from hfpl.ablation.rows import read_rows
from hfpl.stages.evaluate.table import BEST

METRICS = {"miou": "mIoU %", "contour_f": "contour F %"}
PLAIN, BOTH = ("none", False), ("binomial", True)
"""ISL and FSL of a run without the losses, and of one with both."""


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="+", metavar="NAME=CSV", help="a comparison, and its name")
    args = parser.parse_args()
    given = dict(text.split("=", 1) for text in args.rows)
    print("\n".join(table({name: read_rows([Path(path)]) for name, path in given.items()})))


def table(comparisons: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """A row per method, two columns per comparison: without the losses → with both."""
    found = {name: means(runs) for name, runs in comparisons.items()}
    methods = dict.fromkeys(method for own in found.values() for method in own)
    heads = [f"{name}, {metric}" for name in found for metric in METRICS.values()]
    lines = [f"| method | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for method in methods:
        cells = [
            own.get(method, {}).get(metric, "") for own in found.values() for metric in METRICS
        ]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def means(runs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Method → metric → its means without and with both losses, over the seeds that have both."""
    scores: dict[str, dict[tuple[str, bool], dict[int, Mapping[str, float]]]] = {}
    for run in runs:
        losses = (run["isl"], run["fsl"])
        if run["changes"] or losses not in (PLAIN, BOTH):
            continue
        (score,) = (
            score
            for score in run["scores"]
            if score["split"] == "val" and score["threshold_chosen"] != BEST
        )
        scores.setdefault(run["method"], {}).setdefault(losses, {})[run["seed"]] = score
    found: dict[str, dict[str, str]] = {}
    for method, own in sorted(scores.items()):
        plain, both = (own.get(losses, {}) for losses in (PLAIN, BOTH))
        seeds = plain.keys() & both.keys()
        for metric in METRICS if seeds else ():
            before, after = (fmean(o[seed][metric] for seed in seeds) for o in (plain, both))
            found.setdefault(method, {})[metric] = f"{before:.1f} → {after:.1f}"
    return found


if __name__ == "__main__":
    main()
