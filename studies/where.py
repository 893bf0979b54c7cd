"""Where on the photographs the CAMs of one variant are right and those of another are not.

    python -m studies.where [--params params.yaml] [--results results] [--variants cam cam-fsl ...]
                            [--split val] [--threshold 0.25]

Labels of the CAMs at one threshold, calibrated as the run's are, against the ground truth: in the
inside of objects, at their contours (within the tolerance of the contour F-score), in the
background next to objects and elsewhere; by class; and by the size of objects. Pixels that are not
scored count nowhere.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hfpl.images.palette import IGNORE
from hfpl.params import load_params
from hfpl.plugins.metrics.contour_f import contour_radius
from hfpl.stages.cam.calibrate import Cams
from hfpl.stages.evaluate.cams import cam_predictor
from hfpl.stages.evaluate.score import ScoredSplit, read_split
from studies._finished import add_run, image_root, manifests_of

ZONES = ("inside", "contour", "next to objects", "elsewhere")
NEXT = 6
"""How far 'next to objects' reaches, in tolerances of the contour's score."""
SIZES = {"below 10 %": (0.0, 0.1), "10 to 30 %": (0.1, 0.3), "above 30 %": (0.3, 1.01)}
"""Sizes of a class in an image, as shares of its pixels."""


@dataclass
class Found:
    """Counts of a run over a split.

    Attributes:
        zones: (zones, 3): pixels, those labelled rightly, those labelled as some class.
        hits, shown, claimed: of each class k, pixels that are k and labelled so, that are k, and
            that are labelled so; (K,) each.
        sizes: size → IoU of each class in each image where it has this size.
    """

    zones: NDArray[np.int64]
    hits: NDArray[np.int64]
    shown: NDArray[np.int64]
    claimed: NDArray[np.int64]
    sizes: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SIZES})


def main() -> None:
    """Print three tables in Markdown, a row per variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    parser.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--threshold", type=float, help="default: the one fixed beforehand")
    args = parser.parse_args()
    params = load_params(args.params)
    common = args.results / params.dataset
    manifests = manifests_of(params, common, args.split)
    masks = [path.with_suffix(".masks.json") for path in manifests]
    split = read_split(manifests, masks, image_root(params, common))
    runs = {}
    for name in args.variants or [params.variant]:
        folder = common / name / "cam"
        files = [folder / f"{args.split}-{shard}.zip" for shard in range(params.shards)]
        calibration = folder / "calibration.json"
        cams = Cams(files, calibration if calibration.exists() else None)
        method = params.variants[name.partition("@")[0]].method
        threshold = args.threshold or params.evaluate.background_score[method]
        runs[name] = look(split, cams, threshold)
    print("\n".join(tables(runs, split.classes)))


def look(split: ScoredSplit, cams: Cams, threshold: float) -> Found:
    """Counts of CAMs at a threshold."""
    predict, classes = cam_predictor(cams, threshold), len(split.classes)
    found = Found(np.zeros((len(ZONES), 3), int), *np.zeros((3, classes), int))
    for record, truth in split.pairs():
        add(found, truth, predict(record))
    return found


def add(found: Found, truth: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """Count an image; both label maps are (h, w), 0 the background, 255 in ``truth`` not scored."""
    scored = truth != IGNORE
    for row, zone in zip(found.zones, zones(truth), strict=True):
        row += [zone.sum(), (zone & (labels == truth)).sum(), (zone & (labels > 0)).sum()]
    for k in range(len(found.hits)):
        own, claimed = truth == k + 1, (labels == k + 1) & scored
        hits = int((own & claimed).sum())
        found.hits[k] += hits
        found.shown[k] += own.sum()
        found.claimed[k] += claimed.sum()
        if own.any():
            iou = hits / int((own | claimed).sum())
            found.sizes[size_of(float(own.mean()))].append(iou)


def zones(truth: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """Where a pixel lies, boolean (h, w) for each of :data:`ZONES`; none where it is not scored."""
    scored, objects = truth != IGNORE, (truth != IGNORE) & (truth > 0)
    tolerance = contour_radius(*truth.shape)
    within, outside = _distance(objects), _distance(~objects)
    near = np.where(objects, within, outside) <= tolerance
    yield objects & ~near
    yield near & scored
    yield scored & ~objects & ~near & (outside <= NEXT * tolerance)
    yield scored & ~objects & (outside > NEXT * tolerance)


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each pixel inside to the nearest that is not; infinite where there is none."""
    if inside.all():
        return np.full(inside.shape, np.inf, np.float32)
    return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def size_of(share: float) -> str:
    """Name of the size that a share of the pixels is."""
    return next(name for name, (least, most) in SIZES.items() if least <= share < most)


def tables(runs: Mapping[str, Found], classes: Sequence[str]) -> Iterator[str]:
    """Lines of the three tables, all numbers in percent."""
    heads = [*(f"{zone}: right" for zone in ZONES), *(f"{zone}: some class" for zone in ZONES[2:])]
    yield f"| variant | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(ZONES) + 2)}"
    for name, found in runs.items():
        total, right, labelled = found.zones.T
        cells = [*(right / np.maximum(total, 1)), *(labelled / np.maximum(total, 1))[2:]]
        yield f"| {name} | {_percent(cells)} |"
    yield ""
    yield "Recall / precision of each class:"
    yield ""
    yield f"| variant | {' | '.join(classes)} |"
    yield f"|---|{'---:|' * len(classes)}"
    for name, found in runs.items():
        recall = found.hits / np.maximum(found.shown, 1)
        precision = found.hits / np.maximum(found.claimed, 1)
        cells = (f"{100 * r:.1f} / {100 * p:.1f}" for r, p in zip(recall, precision, strict=True))
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "Mean IoU of classes in single images, by their size there:"
    yield ""
    numbers = [len(of_size) for of_size in next(iter(runs.values())).sizes.values()]
    heads = (f"{size} ({n})" for size, n in zip(SIZES, numbers, strict=True))
    yield f"| variant | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(SIZES)}"
    for name, found in runs.items():
        cells = [float(np.mean(values)) if values else np.nan for values in found.sizes.values()]
        yield f"| {name} | {_percent(cells)} |"


def _percent(values: Sequence[float]) -> str:
    return " | ".join(f"{100 * value:.1f}" for value in values)


if __name__ == "__main__":
    main()
