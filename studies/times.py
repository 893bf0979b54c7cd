"""Seconds and peak memory of the jobs of a finished run, from Snakemake's benchmark files.

python -m studies.times [--params params.yaml] [--results results]
"""

import argparse
import os
import platform
from pathlib import Path

import pandas as pd

from hfpl.params import load_params
from hfpl.params.root import Params
from hfpl.pipeline import STAGES
from hfpl.storage.manifest import SPLITS, read_manifests
from studies._finished import add_run, manifests_of


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    args = parser.parse_args()
    params = load_params(args.params)
    print("\n".join(lines(params, args.results / params.dataset)))


def lines(params: Params, common: Path) -> list[str]:
    """A row per kind of job of the variant that the parameters name, and one for all."""
    images = sum(
        len(read_manifests(manifests_of(params, common, split)).images) for split in SPLITS
    )
    records = []
    for own in (common / "data", common / "pretrain", common / params.variant):
        for path in sorted(own.rglob("logs/*.tsv")):
            table = pd.read_csv(path, sep="\t")
            seconds, memory = float(table["s"].iloc[0]), float(table["max_rss"].iloc[0])
            stage, job = path.parent.parent.name, path.stem.partition("-")[0]
            records.append((stage if job == stage else f"{stage} {job}", seconds, memory))
    frame = pd.DataFrame(records, columns=["job", "seconds", "MB"])
    found = [
        f"{images} images, {os.cpu_count()} CPU cores ({platform.machine()}), no GPU.",
        "",
        "| job | jobs | seconds, summed over jobs | per image | peak memory of a job, MB |",
        "|---|---:|---:|---:|---:|",
    ]
    order = sorted(dict.fromkeys(frame["job"]), key=lambda job: STAGES.index(job.split()[0]))
    for job in (*order, "all"):
        part = frame if job == "all" else frame[frame["job"] == job]
        seconds = part["seconds"].sum()
        found.append(
            f"| {job} | {len(part)} | {seconds:.0f} | {seconds / images:.2f} "
            f"| {part['MB'].max():.0f} |"
        )
    return found


if __name__ == "__main__":
    main()
