"""The whole demo at several commits, one after the other in the same run: seconds and scores.

    python -m benchmarks.pipeline b438251 HEAD [--folder build/pipeline]

Each commit is cloned, its own ``snakemake --cores all`` runs from nothing, and Snakemake's records
are read: seconds of each stage, summed over its jobs, the whole by the clock, and the last scores
on val. The environment is this one; what else the machine does counts too.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from benchmarks.measure import machine
from hfpl.pipeline import STAGES

REPOSITORY = Path(__file__).resolve().parents[1]
WHOLE = "whole, by the clock"


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commits", nargs="+", metavar="COMMIT")
    parser.add_argument("--folder", type=Path, default=Path("build/pipeline"), help="of the clones")
    args = parser.parse_args()
    print(f"{machine()}\n")
    seconds = {name: run(name, args.folder.resolve() / name) for name in args.commits}
    print("\n".join(table(seconds)))


def run(commit: str, clone: Path) -> dict[str, float]:
    """Run a commit's demo from nothing; what :func:`read` finds."""
    shutil.rmtree(clone, ignore_errors=True)
    git = ["git", "-c", "advice.detachedHead=false"]
    name = subprocess.run(["git", "rev-parse", commit], cwd=REPOSITORY, check=True,
                          capture_output=True, text=True).stdout.strip()  # fmt: skip
    subprocess.run([*git, "clone", "--quiet", "--no-checkout", REPOSITORY, clone], check=True)
    subprocess.run([*git, "checkout", "--quiet", name], cwd=clone, check=True)
    # The commands lie beside the interpreter and import the package from the clone.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PYTHONPATH": str(clone), "PATH": path}
    began = time.monotonic()
    with (clone / "run.log").open("w") as log:
        subprocess.run(["snakemake", "--cores", "all"], cwd=clone, env=environment,
                       stdout=log, stderr=log, check=True)  # fmt: skip
    whole = time.monotonic() - began
    return {**read(next(clone.glob("results/*"))), WHOLE: whole}


def read(common: Path) -> dict[str, float]:
    """Seconds of a finished run's stages, and the scores of its last stage on val."""
    found = dict.fromkeys(STAGES, 0.0)
    for log in sorted(common.rglob("logs/*.tsv")):
        found[log.parts[-3]] += float(pd.read_csv(log, sep="\t")["s"].sum())
    scores = pd.read_csv(next(common.glob("*/evaluate/table.csv")))
    last = scores[scores["split"] == "val"].iloc[-1]
    return {**found, "mIoU, %": last["miou"], "contour F, %": last["contour_f"]}


def table(seconds: dict[str, dict[str, float]]) -> list[str]:
    """Markdown: a row per stage, a column per commit, and of the times first to last."""
    lines = [f"| seconds | {' | '.join(seconds)} | ratio |", f"|---|{'---:|' * (len(seconds) + 1)}"]
    first, last = next(iter(seconds.values())), list(seconds.values())[-1]
    for name in first:
        values = " | ".join(f"{found[name]:.1f}" for found in seconds.values())
        ratio = "" if "%" in name else f"{first[name] / last[name]:.2f}"
        lines.append(f"| {name} | {values} | {ratio} |")
    return lines


if __name__ == "__main__":
    main()
