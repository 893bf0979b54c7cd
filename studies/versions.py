"""What a version of the results costs DVC: objects and bytes, here and for a larger data set.

    python -m studies.versions [--params params.yaml] [--results results] [--images 10582]
                                  [--shards 16]

Reads a finished run. Shards and manifests grow with the images, and their number with the shards;
everything else stays as it is.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hfpl.params import load_params
from hfpl.storage.manifest import SPLITS, read_manifests
from hfpl.versioning.records import RECORD, result_files, stage_folders


@dataclass
class Cost:
    """Objects and bytes of a stage, those that grow with the images apart."""

    fixed: int = 0
    fixed_bytes: int = 0
    grown: int = 0
    grown_bytes: int = 0

    def at(self, shards: float, images: float) -> tuple[float, float]:
        """Objects and bytes at multiples of the run's shards and images."""
        return (
            self.fixed + self.grown * shards,
            self.fixed_bytes + self.grown_bytes * images,
        )


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--images", type=int, default=10_582)
    parser.add_argument("--shards", type=int, default=16)
    args = parser.parse_args()
    params = load_params(args.params)
    common = args.results / params.dataset
    images = sum(images_of(common / "data", split) for split in SPLITS)
    run = (common / "data", common / "pretrain", common / params.variant)
    folders = [f for f in stage_folders(args.results) if f.parent == run[2] or f in run[:2]]
    costs = {folder.name: cost_of([*result_files(folder), folder / RECORD]) for folder in folders}
    if not costs:
        raise SystemExit(f"{common}: no results; run snakemake first")
    here, there = (1.0, 1.0), (args.shards / params.shards, args.images / images)
    print(
        f"| stage | objects, {images} images | MB | objects, {args.shards} shards "
        f"| MB, {args.images:,} images |\n|---|---:|---:|---:|---:|"
    )
    for name, cost in costs.items():
        print(f"| {name} | {cells([cost], *here)} | {cells([cost], *there)} |")
    everything = list(costs.values())
    print(f"| all | {cells(everything, *here)} | {cells(everything, *there)} |")


def images_of(data: Path, split: str) -> int:
    """Images of a split."""
    manifests = (p for p in sorted(data.glob(f"{split}-*.json")) if ".masks." not in p.name)
    return len(read_manifests(manifests).images)


def cost_of(files: Iterable[Path]) -> Cost:
    """Cost of a stage's results; a record that is not written yet counts without bytes."""
    cost = Cost()
    for path in files:
        size = path.stat().st_size if path.exists() else 0
        if path.name.startswith(tuple(f"{split}-" for split in SPLITS)):
            cost.grown += 1
            cost.grown_bytes += size
        elif path.suffix == ".zip":  # of a generated or converted data set, one however large
            cost.fixed += 1
            cost.grown_bytes += size
        else:
            cost.fixed += 1
            cost.fixed_bytes += size
    return cost


def cells(costs: Iterable[Cost], shards: float, images: float) -> str:
    """Objects and megabytes of stages, as two cells."""
    objects, size = (sum(part) for part in zip(*(c.at(shards, images) for c in costs), strict=True))
    return f"{objects:,.0f} | {size / 1e6:,.1f}"


if __name__ == "__main__":
    main()
