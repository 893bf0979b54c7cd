"""What compact storage costs the networks that are trained on it, beside the spread over seeds.

Of a finished run, trains AffinityNet and the segmentation network anew: with several seeds, from
the stored CAMs and from CAMs and CRF scores kept as float32. Scores val.

    python -m studies.retraining [--params params.yaml] [--results results] [--seeds 0 1 2]
"""

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np

from hfpl.storage.shards import Shard, ShardWriter
from studies._finished import Again, add_run

STEPS = ("walk", "segment", "segment + CRF")


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    scores: dict[tuple[bool, int], dict[str, tuple[float, float]]] = {}
    for exact in (False, True):
        if exact:
            keep_float32()
        with tempfile.TemporaryDirectory() as folder:
            run = Retraining(args.params, args.results, Path(folder))
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


class Retraining(Again):
    """The stages after CAM training, in a folder of their own."""

    def infer(self) -> None:
        """CAMs and CRF scores of all images."""
        for split in ("train", "val"):
            for k in self.shards:
                common = ["--images", self.root, "--manifest", self.manifest(split, k)]
                cams = self.shard("cam", split, k)
                self.do("cam infer", *common, "--model", self.run / "cam" / "model.safetensors",
                        "--cams", cams)  # fmt: skip
                if split == "train":
                    low, high = (self.shard(kind, split, k) for kind in ("low", "high"))
                    self.do("pseudo", *common, "--cams", cams, "--low", low, "--high", high)

    def train(self, seed: int) -> dict[str, tuple[float, float]]:
        """Step → mIoU and contour F on val in percent, of networks trained with a seed."""
        self.variant = f"{self.loaded.variant}@seed={seed}"
        model, history = self.folder / f"affinity-{seed}.safetensors", self.folder / "history.csv"
        self.do("affinity", "--images", self.root, "--threads", 2, *self.weights(),
                "--manifests", *self.every(self.manifest, "train"),
                "--low", *self.every(self.shard, "low", "train"),
                "--high", *self.every(self.shard, "high", "train"),
                "--model", model, "--history", history)  # fmt: skip
        for split in ("train", "val"):
            for k in self.shards:
                self.do("walk", "--images", self.root, "--manifest", self.manifest(split, k),
                        "--cams", self.shard("cam", split, k), "--model", model,
                        "--labels", self.shard("walk", split, k))  # fmt: skip
        network = self.folder / f"segment-{seed}.safetensors"
        self.train_segment(network, self.every(self.shard, "walk", "train"))
        found = self.test(network)
        walk = self.score("walk", "walk")
        return {"walk": walk, "segment": found["none"], "segment + CRF": found["CRF"]}


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
