"""Scores of every stage, mean and deviation over seeds, of the rows that a comparison keeps.

    python -m studies.stages docs/ablation/<data set>/ablation-final.csv [--variant seam-fsl]
                             [--split val]

The rows of the variant 'supervised' are the ceiling: the same segmentation network trained on
official masks. The last column is the share of it that tags alone reach.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hfpl.ablation.rows import read_rows
from hfpl.stages.cam.params import SUPERVISED
from hfpl.stages.evaluate.table import NONE

METRICS = {"miou": "mIoU %", "contour_f": "contour F %"}
Place = tuple[str, str, str]
"""Stage, post-processing, and how its threshold was chosen."""
Found = dict[Place, dict[str, list[float]]]
"""Place → metric → its scores, one per seed."""


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--variant", help="default: the only one beside the ceiling")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    args = parser.parse_args()
    runs = [run for run in read_rows([args.rows]) if not run["changes"]]
    names = sorted({run["variant"] for run in runs} - {SUPERVISED})
    if args.variant is None and len(names) != 1:
        parser.error(f"--variant: one of {', '.join(names)}")
    variant = args.variant or names[0]
    print("\n".join(lines(runs, variant, args.split)))


def lines(runs: Iterable[Mapping[str, Any]], variant: str, split: str) -> list[str]:
    """The table: a row per place of the variant, then those of the ceiling."""
    own = [run for run in runs if run["variant"] == variant]
    ceiling = [run for run in runs if run["variant"] == SUPERVISED]
    images = {score["images"] for run in own for score in run["scores"] if score["split"] == split}
    seeds = ", ".join(str(run["seed"]) for run in sorted(own, key=lambda run: run["seed"]))
    devices = ", ".join(sorted({run["device"] for run in own}))
    metrics = " | ".join(METRICS.values())
    found = [
        f"Variant `{variant}`, split {split} ({', '.join(map(str, images))} photographs), mean ± "
        f"standard deviation over the seeds {seeds}; {devices}.",
        "",
        f"| stage | post-processing | threshold | {metrics} | of the ceiling's mIoU |",
        "|---|---|---|---:|---:|---:|",
    ]
    ceilings = scores(ceiling, split)
    for (stage, post, chosen), values in scores(own, split).items():
        above = ceilings.get((f"{stage}, official masks", post, chosen))
        share = ""
        if above is not None:
            share = f"{100 * fmean(values['miou']) / fmean(above['miou']):.0f} %"
        found.append(_row(stage, post, chosen, values, share))
    found += [_row(*place, values, "") for place, values in ceilings.items()]
    return found


def scores(runs: Iterable[Mapping[str, Any]], split: str) -> Found:
    """Scores of a split, of all seeds, in the order of the stages."""
    found: Found = {}
    for run in runs:
        for score in run["scores"]:
            if score["split"] == split:
                place = (score["stage"], score["post_processing"], score["threshold_chosen"])
                values = found.setdefault(place, {metric: [] for metric in METRICS})
                for metric in METRICS:
                    values[metric].append(score[metric])
    return found


def _row(stage: str, post: str, chosen: str, values: Mapping[str, list[float]], share: str) -> str:
    threshold = "" if chosen == NONE else chosen
    cells = [stage, post, threshold, *(spread(values[metric]) for metric in METRICS), share]
    return f"| {' | '.join(cells)} |"


def spread(values: list[float]) -> str:
    """Mean and, of several, the standard deviation."""
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
