"""Values for photographs: chosen on training photographs alone, and what calibration costs.

    python -m studies.photographs split FOLDER OUT [--share 0.25]
    python -m studies.photographs score [--params params.yaml] [--results results]
                                        [--variants seam cam ...] [--split val] [--shards 0 1]

``split`` makes a folder of the format 'folder' of another one's training photographs alone, a share
of which is held out, chosen by a hash of their names: values can be chosen by what is held out
there, and the validation photographs stay unseen. ``score`` prints, of runs whose CAMs are there,
mIoU and contour F at the best threshold, and what the threshold that calibration finds costs
beside it; nothing but the CAMs is needed.
"""

import argparse
import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hfpl.params import load_params
from hfpl.plugins.metrics import build_metric
from hfpl.stages.cam.calibrate import LEVELS, Cams, best_threshold, separations
from hfpl.stages.evaluate.cam_curve import (
    CAM_THRESHOLDS,
    cam_statistics,
    curve_from_statistics,
    predict_from_cams,
)
from hfpl.stages.evaluate.score import ScoredSplit, read_split
from hfpl.storage.manifest import ImageRecord
from hfpl.storage.reading import ImageRoot


def main() -> None:
    """Make the folder, or print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    split = actions.add_parser("split")
    split.add_argument("folder", type=Path)
    split.add_argument("out", type=Path)
    split.add_argument("--share", type=float, default=0.25)
    score = actions.add_parser("score")
    score.add_argument("--params", type=Path, default=Path("params.yaml"))
    score.add_argument("--results", type=Path, default=Path("results"))
    score.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    score.add_argument("--split", default="val", choices=("train", "val"))
    score.add_argument("--shards", nargs="+", type=int, help="default: all")
    args = parser.parse_args()
    if args.action == "split":
        print(f"{args.out}: {hold_out(args.folder, args.out, args.share)}")
    else:
        print_scores(args)


def hold_out(folder: Path, out: Path, share: float) -> str:
    """Link the training photographs of a folder, and divide them; the numbers, in words."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    rows.sort(key=lambda row: hashlib.sha256(row["file"].encode()).digest())
    held = round(share * len(rows))
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    with (out / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "tags", "split"])
        for number, row in enumerate(rows):
            writer.writerow([row["file"], row["tags"], "val" if number < held else "train"])
            mask = f"{Path(row['file']).stem}.png"
            for name, kind in ((row["file"], "images"), (mask, "masks")):
                link = out / kind / name
                if not link.exists() and (folder / kind / name).exists():
                    link.symlink_to((folder / kind / name).resolve())
    classes = folder / "classes.txt"
    if classes.exists():
        (out / "classes.txt").write_text(classes.read_text(encoding="utf-8"), encoding="utf-8")
    return f"{len(rows) - held} photographs to train on, {held} held out"


def print_scores(args: argparse.Namespace) -> None:
    """A row per variant: the best threshold, and the one that calibration finds."""
    params = load_params(args.params)
    common = args.results / params.dataset
    shards = args.shards or range(params.shards)
    archive = common / "data" / f"{params.chosen_dataset.format}.zip"
    root = ImageRoot(archive if archive.exists() else params.chosen_dataset.root)
    manifests = [common / "data" / f"{args.split}-{k}.json" for k in shards]
    masks = [path.with_suffix(".masks.json") for path in manifests]
    split = read_split(manifests, masks, root)
    print("| variant | best threshold | mIoU % | contour F % | found | mIoU % | cost |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for variant in args.variants or [params.variant]:
        files = [common / variant / "cam" / f"{args.split}-{k}.zip" for k in shards]
        print(f"| {variant} | {_scores(split, root, Cams(files, None))} |")


def _scores(split: ScoredSplit, root: ImageRoot, cams: Cams) -> str:
    thresholds, total, apart = np.array(CAM_THRESHOLDS), np.array(0), np.zeros(LEVELS)
    for record, truth, classes, maps in _maps(split, cams):
        total = total + cam_statistics(truth, maps, classes, thresholds, split.num_classes)
        if len(classes):
            apart += separations(np.asarray(root.image(record)), maps.max(axis=0))
    curve = 100 * curve_from_statistics(total).mean(1)
    best = thresholds[curve.argmax()]
    metric = build_metric("contour_f", split.num_classes)
    counts = sum(
        metric.counts(truth, predict_from_cams(maps, classes, best))
        for _, truth, classes, maps in _maps(split, cams)
    )
    found = best_threshold(apart)
    reached = float(np.interp(found, thresholds, curve))
    contours = 100 * metric.scores(counts)[0][0]
    cells = [f"{best:.2f}", f"{curve.max():.1f}", f"{contours:.1f}", f"{found:.3f}",
             f"{reached:.1f}", f"{curve.max() - reached:.1f}"]  # fmt: skip
    return " | ".join(cells)


def _maps(
    split: ScoredSplit, cams: Cams
) -> Iterator[tuple[ImageRecord, np.ndarray, np.ndarray, np.ndarray]]:
    for record, truth in split.pairs():
        classes, maps = cams.of(record)
        yield record, truth, np.array(classes, int), maps


if __name__ == "__main__":
    main()
