"""What compact storage costs: bytes per image, and the scores of a run with and without it.

Runs CAM inference, CRF and random walk of a finished run's val images in memory twice: from
float32 CAMs, and from CAMs rounded as the shards store them.

    python -m studies.storage [--params params.yaml] [--results results]
"""

import argparse
from pathlib import Path

import numpy as np

from hfpl.jobs.runtime import set_up
from hfpl.params import Params, load_params
from hfpl.pipeline import JOBS
from hfpl.plugins.metrics.contour_f import contour_counts, mean_contour_f
from hfpl.plugins.metrics.miou import confusion_matrix, mean_iou
from hfpl.plugins.refiners.crf import DenseCrf
from hfpl.stages.cam.infer import image_cams, load_cam_network
from hfpl.stages.evaluate.cam_curve import predict_from_cams
from hfpl.stages.pseudo.refine import pseudo_label_scores
from hfpl.stages.walk.label import load_affinity_network, walked_label
from hfpl.storage.manifest import read_manifests, read_masks
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import quantised, restored
from studies._finished import add_run


def main() -> None:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    args = parser.parse_args()
    params = load_params(args.params)
    common = args.results / params.dataset
    print_bytes(common / params.variant, common / "data")
    print()
    print_scores(params, common)


def print_bytes(run: Path, data: Path) -> None:
    """Bytes per image of every per-image result, beside the plain arrays they replace."""
    images = [i for split in ("train", "val") for i in split_images(data, split)]
    pixels = sum(i.height * i.width for i in images)
    maps = sum(i.height * i.width * len(i.tags) for i in images)
    rows = [
        ("CAMs", "cam/*.zip", 4 * maps, "float32"),
        ("CRF scores, both alphas", "pseudo/*.zip", 8 * (maps + pixels), "float32"),
        ("walk label maps", "walk/*.zip", pixels, "uint8"),
        ("segmentation label maps, both", "segment/*.zip", 2 * pixels, "uint8"),
    ]
    print("| result | stored, bytes per image | plain array, bytes per image | share |")
    print("|---|---:|---:|---:|")
    for name, pattern, plain, dtype in rows:
        stored = sum(path.stat().st_size for path in run.glob(pattern))
        count = len(images)
        print(
            f"| {name} | {stored / count:,.0f} | {plain / count:,.0f} ({dtype}) "
            f"| {100 * stored / plain:.0f} % |"
        )


def split_images(data: Path, split: str):
    """Records of a split."""
    manifests = sorted(p for p in data.glob(f"{split}-*.json") if ".masks." not in p.name)
    return read_manifests(manifests).images


def print_scores(params: Params, common: Path) -> None:
    """mIoU and contour F on val of the steps without training, from exact and rounded CAMs."""
    data, run = common / "data", common / params.variant
    dataset = params.datasets[params.dataset]
    zipped = data / f"{dataset.format}.zip"
    root = ImageRoot(zipped if zipped.exists() else dataset.root)
    manifests = sorted(p for p in data.glob("val-*.json") if ".masks." not in p.name)
    manifest, truths = read_manifests(manifests), read_masks(data.glob("val-*.masks.json"))
    runtime = set_up("auto")
    inference, walk = JOBS["cam_infer"].settings(params), JOBS["walk"].settings(params)
    cam_network = load_cam_network(
        inference, len(manifest.classes), run / "cam/model.safetensors", runtime
    )
    affinity = load_affinity_network(walk, run / "affinity/model.safetensors", runtime)
    threshold = params.evaluate.background_score[params.variants[params.variant].method]
    crf, alphas = DenseCrf(params.pseudo.crf), (params.pseudo.alpha_low,)
    totals: dict[tuple[str, bool], Totals] = {}
    for record in manifest.images:
        if record.id not in truths:
            continue
        truth, image = root.mask(truths[record.id]), root.image(record)
        pixels, tags = np.asarray(image), list(record.tags)
        exact = np.zeros((0, *truth.shape), np.float32)
        if tags:
            exact = image_cams(cam_network, image, tags, params.cam.inference.scales, runtime)
        rounded = restored(quantised(exact))
        for compact, cams in ((False, exact), (True, rounded)):
            classes = np.array(tags, int)
            predictions = {"CAM": predict_from_cams(cams, classes, threshold)}
            (scores,) = pseudo_label_scores(pixels, np.clip(cams, 0, 1), alphas, crf)
            if compact:
                scores = quantised(scores)
            predictions["CRF at alpha_low"] = np.array([0, *(k + 1 for k in tags)], np.uint8)[
                scores.argmax(0)
            ]
            predictions["walk"] = np.zeros_like(truth)
            if tags:
                predictions["walk"] = walked_label(
                    affinity, pixels, cams, tags, params.walk, params.affinity.radius, runtime
                )
            for step, prediction in predictions.items():
                total = totals.setdefault((step, compact), Totals(len(manifest.classes) + 1))
                total.add(truth, prediction)
    print("| step, val | mIoU, float32 | mIoU, stored | contour F, float32 | contour F, stored |")
    print("|---|---:|---:|---:|---:|")
    for step in dict.fromkeys(step for step, _ in totals):
        exact, stored = totals[step, False], totals[step, True]
        print(
            f"| {step} | {exact.miou:.2f} | {stored.miou:.2f} "
            f"| {exact.contour_f:.2f} | {stored.contour_f:.2f} |"
        )


class Totals:
    """Counts over a set."""

    def __init__(self, num_classes: int) -> None:
        self.confusion = np.zeros((num_classes, num_classes), np.int64)
        self.contours = np.zeros((num_classes - 1, 4), np.int64)

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count one image."""
        num_classes = len(self.confusion)
        self.confusion += confusion_matrix(truth, prediction, num_classes)
        self.contours += contour_counts(truth, prediction, num_classes)

    @property
    def miou(self) -> float:
        """In percent."""
        return 100 * mean_iou(self.confusion)

    @property
    def contour_f(self) -> float:
        """In percent."""
        return 100 * mean_contour_f(self.contours)


if __name__ == "__main__":
    main()
