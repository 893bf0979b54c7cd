"""What the studies of a finished run share."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hfpl.cli import main as hfpl
from hfpl.params import load_params
from hfpl.params.root import Params
from hfpl.storage.reading import ImageRoot


def add_run(parser: argparse.ArgumentParser) -> None:
    """Arguments that name a finished run."""
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))


def image_root(params: Params, common: Path) -> ImageRoot:
    """Where a run's images lie: the archive that it made, or the data set's folder."""
    return ImageRoot(_root(params, common))


def manifests_of(params: Params, common: Path, split: str) -> list[Path]:
    """Manifests of all shards of a split."""
    return [common / "data" / f"{split}-{shard}.json" for shard in range(params.shards)]


def _root(params: Params, common: Path) -> Path:
    archive = common / "data" / f"{params.chosen_dataset.format}.zip"
    return archive if archive.exists() else Path(params.chosen_dataset.root)


@dataclass
class Again:
    """Steps of a finished run done again, into a folder of their own.

    Attributes:
        params: its parameter file.
        results: folder of its results.
        folder: where the new files go.
        variant: the run, as ``--variant`` takes it; empty: the one that the parameters name.
        threads: of torch in trainings; results are equal to the byte for equal ones.
    """

    params: Path
    results: Path
    folder: Path
    variant: str = ""
    threads: int = 2

    def __post_init__(self) -> None:
        self.loaded = load_params(self.params)
        self.variant = self.variant or self.loaded.variant
        self.common = self.results / self.loaded.dataset
        self.run = self.common / self.variant
        self.shards = range(self.loaded.shards)
        self.root = _root(self.loaded, self.common)

    def do(self, command: str, *arguments: object) -> None:
        """Run a command of hfpl as this run would."""
        words = [*command.split(), "--params", self.params, "--variant", self.variant, *arguments]
        if hfpl([str(word) for word in words]):
            raise SystemExit(1)

    def manifest(self, split: str, k: int, kind: str = "") -> Path:
        """The finished run's manifest of a shard; of its masks with ``.masks``."""
        return self.common / "data" / f"{split}-{k}{kind}.json"

    def shard(self, kind: str, split: str, k: int) -> Path:
        """A new shard."""
        return self.folder / f"{kind}-{split}-{k}.zip"

    def every(self, name: Callable[..., Path], *arguments: str) -> list[Path]:
        """Files of all shards."""
        return [name(*arguments, k) for k in self.shards]

    @property
    def network(self) -> Path:
        """The finished run's segmentation network."""
        return self.run / "segment" / "network.safetensors"

    def weights(self) -> list[object]:
        """``--weights`` of the run's pretrained network, where it trained one."""
        backbone = self.common / "pretrain" / "backbone.safetensors"
        return ["--weights", *([backbone] if backbone.exists() else [])]

    def train_segment(self, network: Path, labels: list[Path], *more: object) -> None:
        """Train a segmentation network on label maps of the training photographs."""
        history = network.with_suffix(".csv")
        self.do("segment train", "--images", self.root, "--threads", self.threads, *self.weights(),
                "--manifests", *self.every(self.manifest, "train"), "--labels", *labels,
                "--network", network, "--history", history, *more)  # fmt: skip

    def test(self, network: Path) -> dict[str, tuple[float, float]]:
        """Post-processing → mIoU and contour F of a segmentation network on val, in percent."""
        for k in self.shards:
            self.do("segment test", "--images", self.root, "--manifest", self.manifest("val", k),
                    "--masks", self.manifest("val", k, ".masks"), "--network", network,
                    "--plain", self.shard("none", "val", k),
                    "--refined", self.shard("CRF", "val", k))  # fmt: skip
        kinds = {"none": "segment-plain", "CRF": "segment-crf"}
        return {kind: self.score(kind, name) for kind, name in kinds.items()}

    def score(self, kind: str, scored: str) -> tuple[float, float]:
        """mIoU and contour F of new shards of val, in percent."""
        unscored, out = self.folder / "unscored.json", self.folder / "scores.json"
        unscored.write_text('{"masks": []}')
        self.do("evaluate masks", "--images", self.root,
                "--train-manifests", *self.every(self.manifest, "train"),
                "--val-manifests", *self.every(self.manifest, "val"),
                "--train-masks", *(unscored for _ in self.shards),
                "--val-masks", *(self.manifest("val", k, ".masks") for k in self.shards),
                "--results", *self.every(self.shard, kind, "val"),
                "--out", out, "--scored", scored)  # fmt: skip
        (row,) = (r for r in json.loads(out.read_text())["rows"] if r["split"] == "val")
        return row["miou"], row["contour_f"]
