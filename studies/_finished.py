"""What the studies of a finished run share."""

import argparse
from pathlib import Path

from hfpl.params.root import Params
from hfpl.storage.reading import ImageRoot


def add_run(parser: argparse.ArgumentParser) -> None:
    """Arguments that name a finished run."""
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))


def image_root(params: Params, common: Path) -> ImageRoot:
    """Where a run's images lie: the archive that it made, or the data set's folder."""
    archive = common / "data" / f"{params.chosen_dataset.format}.zip"
    return ImageRoot(archive if archive.exists() else params.chosen_dataset.root)


def manifests_of(params: Params, common: Path, split: str) -> list[Path]:
    """Manifests of all shards of a split."""
    return [common / "data" / f"{split}-{shard}.json" for shard in range(params.shards)]
