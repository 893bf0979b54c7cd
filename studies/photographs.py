"""Values for photographs: chosen on training photographs alone, and what calibration costs.

    python -m studies.photographs split FOLDER OUT [--share 0.25]
    python -m studies.photographs few FOLDER OUT --classes cat cow dog [--train 20] [--held 50]
    python -m studies.photographs score [--params params.yaml] [--results results]
                                        [--variants seam cam ...] [--split val] [--shards 0 1]

``split`` makes a folder of the format 'folder' of another one's training photographs alone, a share
of which is held out, chosen by a hash of their names: values can be chosen by what is held out
there, and the validation photographs stay unseen. ``few`` makes one of a few training photographs
of some classes, each of which shows no other class, and of others that are held out. ``score``
prints, of runs whose CAMs are there, mIoU and contour F at the best threshold, and what the
threshold that calibration finds costs beside it; nothing but the CAMs is needed.
"""

import argparse
import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hfpl.params import load_params
from hfpl.stages.cam.calibrate import Cams, find_threshold
from hfpl.stages.evaluate.cam_curve import CAM_THRESHOLDS
from hfpl.stages.evaluate.cams import cam_curve, cam_predictor
from hfpl.stages.evaluate.score import ScoredSplit, read_split, score_predictions
from hfpl.storage.reading import ImageRoot
from studies._finished import add_run, image_root


def main() -> None:
    """Make the folder, or print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    split = actions.add_parser("split")
    split.add_argument("folder", type=Path)
    split.add_argument("out", type=Path)
    split.add_argument("--share", type=float, default=0.25)
    few = actions.add_parser("few")
    few.add_argument("folder", type=Path)
    few.add_argument("out", type=Path)
    few.add_argument("--classes", nargs="+", required=True)
    few.add_argument("--train", type=int, default=20, help="of each class (default: 20)")
    few.add_argument("--held", type=int, default=50, help="of each class (default: 50)")
    score = actions.add_parser("score")
    add_run(score)
    score.add_argument("--variants", nargs="+", help="default: the one params.yaml names")
    score.add_argument("--split", default="val", choices=("train", "val"))
    score.add_argument("--shards", nargs="+", type=int, help="default: all")
    args = parser.parse_args()
    if args.action == "split":
        print(f"{args.out}: {hold_out(args.folder, args.out, args.share)}")
    elif args.action == "few":
        print(f"{args.out}: {few_of(args.folder, args.out, args.classes, args.train, args.held)}")
    else:
        print_scores(args)


def hold_out(folder: Path, out: Path, share: float) -> str:
    """Link the training photographs of a folder, and divide them; the numbers, in words."""
    rows = _training_rows(folder, "")
    held = round(share * len(rows))
    classes = folder / "classes.txt"
    known = classes.read_text(encoding="utf-8").split("\n") if classes.exists() else []
    return _write(folder, out, rows[held:], rows[:held], known)


def few_of(folder: Path, out: Path, classes: Sequence[str], train: int, held: int) -> str:
    """Link a few training photographs of each class; the numbers, in words.

    Args:
        classes: the first ones of the folder, in its order, so that masks keep their labels.
    """
    learned, scored = [], []
    for name in classes:
        own = [row for row in _training_rows(folder, "small") if row["tags"] == name]
        learned += own[:train]
        scored += own[train : train + held]
    return _write(folder, out, learned, scored, classes)


def _training_rows(folder: Path, salt: str) -> list[dict[str, str]]:
    """Rows of the training photographs, in the order of a hash of their names."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    return sorted(rows, key=lambda row: hashlib.sha256(f"{salt}{row['file']}".encode()).digest())


def _write(
    folder: Path,
    out: Path,
    train: Sequence[Mapping[str, str]],
    val: Sequence[Mapping[str, str]],
    classes: Sequence[str],
) -> str:
    """Write a list of photographs, and links to them and their masks; the numbers, in words."""
    for name in ("images", "masks"):
        (out / name).mkdir(parents=True, exist_ok=True)
    rows = [(row, "val") for row in val] + [(row, "train") for row in train]
    with (out / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "tags", "split"])
        for row, split in rows:
            writer.writerow([row["file"], row["tags"], split])
            mask = f"{Path(row['file']).stem}.png"
            for name, kind in ((row["file"], "images"), (mask, "masks")):
                link = out / kind / name
                if not link.exists() and (folder / kind / name).exists():
                    link.symlink_to((folder / kind / name).resolve())
    if classes:
        (out / "classes.txt").write_text("\n".join(classes), encoding="utf-8")
    return f"{len(train)} photographs to train on, {len(val)} held out"


def print_scores(args: argparse.Namespace) -> None:
    """A row per variant: the best threshold, and the one that calibration finds."""
    params = load_params(args.params)
    common = args.results / params.dataset
    shards = args.shards or range(params.shards)
    root = image_root(params, common)
    manifests = [common / "data" / f"{args.split}-{k}.json" for k in shards]
    masks = [path.with_suffix(".masks.json") for path in manifests]
    split = read_split(manifests, masks, root)
    print("| variant | best threshold | mIoU % | contour F % | found | mIoU % | cost |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for variant in args.variants or [params.variant]:
        files = [common / variant / "cam" / f"{args.split}-{k}.zip" for k in shards]
        print(f"| {variant} | {_scores(split, root, Cams(files, None))} |")


def _scores(split: ScoredSplit, root: ImageRoot, cams: Cams) -> str:
    curve = 100 * cam_curve(split, cams)
    best = CAM_THRESHOLDS[int(curve.argmax())]
    contours = score_predictions(split, cam_predictor(cams, best), ["contour_f"])["contour_f"]
    found = find_threshold([record for record in split.images if record.tags], root, cams)
    reached = float(np.interp(found, CAM_THRESHOLDS, curve))
    cells = [f"{best:.2f}", f"{curve.max():.1f}", f"{contours:.1f}", f"{found:.3f}",
             f"{reached:.1f}", f"{curve.max() - reached:.1f}"]  # fmt: skip
    return " | ".join(cells)


if __name__ == "__main__":
    main()
