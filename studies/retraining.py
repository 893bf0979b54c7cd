"""What compact storage costs the networks that are trained on it, beside the spread over seeds.

Of a finished run, trains AffinityNet and the segmentation network anew: with several seeds, from
the stored CAMs and from CAMs and CRF scores kept as float32. Scores val.

    python -m studies.retraining [--params params.yaml] [--results results] [--seeds 0 1 2]
"""

import argparse
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from hfpl.cli import main as hfpl
from hfpl.params import load_params
from hfpl.storage.shards import Shard, ShardWriter

STEPS = {
    "walk": ("walk", "none"),
    "segment": ("segment", "none"),
    "segment + CRF": ("segment", "CRF"),
}


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    scores: dict[tuple[bool, int], dict[str, tuple[float, float]]] = {}
    for exact in (False, True):
        if exact:
            keep_float32()
        with tempfile.TemporaryDirectory() as folder:
            run = Run(args.params, args.results, Path(folder))
            run.infer()
            for seed in args.seeds:
                scores[exact, seed] = run.train(seed)
    print("| step, val | scores kept as | mIoU, mean ± deviation | contour F, mean ± deviation |")
    print("|---|---|---:|---:|")
    for step in STEPS:
        for exact, kept in ((False, "200 levels"), (True, "float32")):
            found = np.array([scores[exact, seed][step] for seed in args.seeds])
            mean, deviation = found.mean(0), found.std(0, ddof=1)
            cells = " | ".join(f"{m:.1f} ± {d:.1f}" for m, d in zip(mean, deviation, strict=True))
            print(f"| {step} | {kept} | {cells} |")
    print(f"\nSeeds {', '.join(map(str, args.seeds))}.")


@dataclass
class Run:
    """The stages after CAM training, in a folder of their own."""

    params: Path
    results: Path
    folder: Path

    def __post_init__(self) -> None:
        self.loaded = load_params(self.params)
        self.data = self.results / self.loaded.dataset / "data"
        self.cams = self.results / self.loaded.dataset / self.loaded.variant / "cam"
        self.shards = range(self.loaded.shards)
        dataset = self.loaded.datasets[self.loaded.dataset]
        archive = self.data / f"{dataset.format}.zip"
        self.root = str(archive if archive.exists() else dataset.root)

    def infer(self) -> None:
        """CAMs and CRF scores of all images."""
        for split in ("train", "val"):
            for k in self.shards:
                common = ["--images", self.root, "--manifest", self._manifest(split, k)]
                cams = self._shard("cam", split, k)
                self._do("cam infer", *common, "--model", self.cams / "model.safetensors",
                         "--cams", cams)  # fmt: skip
                if split == "train":
                    low, high = (self._shard(kind, split, k) for kind in ("low", "high"))
                    self._do("pseudo", *common, "--cams", cams, "--low", low, "--high", high)

    def train(self, seed: int) -> dict[str, tuple[float, float]]:
        """Step → mIoU and contour F on val in percent, of networks trained with a seed."""
        self._set_seed(seed)
        backbone = self.results / self.loaded.dataset / "pretrain" / "backbone.safetensors"
        training = ["--images", self.root, "--manifests", *self._all(self._manifest, "train"),
                    "--weights", backbone, "--threads", 2]  # fmt: skip
        model, history = self.folder / f"affinity-{seed}.safetensors", self.folder / "history.csv"
        self._do("affinity", *training, "--low", *self._all(self._shard, "low", "train"),
                 "--high", *self._all(self._shard, "high", "train"),
                 "--model", model, "--history", history)  # fmt: skip
        for split in ("train", "val"):
            for k in self.shards:
                self._do("walk", "--images", self.root, "--manifest", self._manifest(split, k),
                         "--cams", self._shard("cam", split, k), "--model", model,
                         "--labels", self._shard("walk", split, k))  # fmt: skip
        model = self.folder / f"segment-{seed}.safetensors"
        self._do("segment train", *training, "--labels", *self._all(self._shard, "walk", "train"),
                 "--network", model, "--history", history)  # fmt: skip
        for k in self.shards:
            self._do("segment test", "--images", self.root, "--manifest", self._manifest("val", k),
                     "--masks", self._manifest("val", k, ".masks"), "--network", model,
                     "--plain", self._shard("none", "val", k),
                     "--refined", self._shard("CRF", "val", k))  # fmt: skip
        return {name: self._score(*step) for name, step in STEPS.items()}

    def _score(self, stage: str, post: str) -> tuple[float, float]:
        unscored = self.folder / "unscored.json"
        unscored.write_text('{"masks": []}')
        masks = {
            "train": [unscored for _ in self.shards],
            "val": [self._manifest("val", k, ".masks") for k in self.shards],
        }
        truth = ["--images", self.root]
        for split, files in masks.items():
            truth += [f"--{split}-manifests", *self._all(self._manifest, split)]
            truth += [f"--{split}-masks", *files]
        kind = "walk" if stage == "walk" else post
        scored = {"walk": "walk", "none": "segment-plain", "CRF": "segment-crf"}[kind]
        out = self.folder / "scores.json"
        self._do("evaluate masks", *truth, "--results", *self._all(self._shard, kind, "val"),
                 "--out", out, "--scored", scored)  # fmt: skip
        (row,) = (r for r in json.loads(out.read_text())["rows"] if r["split"] == "val")
        return row["miou"], row["contour_f"]

    def _set_seed(self, seed: int) -> None:
        yaml = YAML()
        content = yaml.load(self.params.read_text(encoding="utf-8"))
        content["variants"][self.loaded.variant]["seed"] = seed
        yaml.dump(content, self.folder / "params.yaml")

    def _do(self, command: str, *arguments: object) -> None:
        own = self.folder / "params.yaml"
        params = own if own.exists() else self.params
        if hfpl([*command.split(), "--params", str(params), *map(str, arguments)]):
            raise SystemExit(1)

    def _manifest(self, split: str, k: int, kind: str = "") -> Path:
        return self.data / f"{split}-{k}{kind}.json"

    def _shard(self, kind: str, split: str, k: int) -> Path:
        return self.folder / f"{kind}-{split}-{k}.zip"

    def _all(self, name, *arguments: str) -> list[Path]:
        return [name(*arguments, k) for k in self.shards]


def keep_float32() -> None:
    """Make shards hold scores as they are, in this process and its loaders."""

    def add_scores(self, image_id, classes, scores):
        self._register(image_id, list(classes))
        if len(scores):
            buffer = io.BytesIO()
            np.save(buffer, np.asarray(scores, np.float32), allow_pickle=False)
            self._write(f"{image_id}.png", buffer.getvalue())

    def read_scores(self, image_id, size, *, counts_from):
        classes = self._classes(image_id)
        if not classes:
            return [], np.zeros((0, *size), np.float32)
        return classes, np.load(io.BytesIO(self._read(image_id)), allow_pickle=False)

    ShardWriter.add_scores, Shard.scores = add_scores, read_scores


if __name__ == "__main__":
    main()
