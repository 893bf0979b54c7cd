"""What the CRF of the pseudo-labels costs and brings at half the size and with fewer iterations.

    python -m studies.prices [--params params.yaml] [--results results] [--split val] [--images 60]

Of a finished run's CAMs. Kernels are as wide as in the run, measured in the photograph's pixels.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hfpl.params import load_params
from hfpl.params.root import Params
from hfpl.plugins.refiners import build_refiner
from hfpl.plugins.refiners.interface import Refiner
from hfpl.stages.cam.calibrate import Cams
from hfpl.stages.evaluate.score import ScoredSplit, read_split, score_predictions
from hfpl.stages.pseudo.refine import pseudo_label_scores
from hfpl.storage.reading import ImageRoot
from studies._finished import add_run, image_root, manifests_of

SCALES, ITERATIONS = (1.0, 0.5, 0.25), (10, 5)


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_run(parser)
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--images", type=int, default=60)
    args = parser.parse_args()
    params = load_params(args.params)
    if params.pseudo.refiner != "crf":
        parser.error(f"{args.params}: pseudo.refiner is '{params.pseudo.refiner}', expected 'crf'")
    print("\n".join(lines(params, args.results / params.dataset, args.split, args.images)))


def lines(params: Params, common: Path, split: str, images: int) -> Iterator[str]:
    """The table, a row per scale and number of iterations."""
    manifests = manifests_of(params, common, split)
    root = image_root(params, common)
    scored = read_split(manifests, [path.with_suffix(".masks.json") for path in manifests], root)
    tagged = [record for record in scored.images if record.tags]
    scored = replace(scored, images=tuple(tagged[:: max(1, len(tagged) // images)][:images]))
    calibration = common / params.variant / "cam" / "calibration.json"
    cam = common / params.variant / "cam"
    shards = [cam / path.with_suffix(".zip").name for path in manifests]
    cams = Cams(shards, calibration if calibration.exists() else None)
    low, high = params.pseudo.alpha_low, params.pseudo.alpha_high
    yield f"{len(scored.images)} photographs of {split}, one core; mIoU / contour F, %."
    yield ""
    yield f"| scale | iterations | alpha_low {low:g} | alpha_high {high:g} | seconds, both |"
    yield "|---:|---:|---:|---:|---:|"
    for scale in SCALES:
        for iterations in ITERATIONS:
            refiner = build_refiner("crf", _kernels(params, scale, iterations))
            cells = _scored(scored, root, cams, (low, high), refiner, scale)
            yield f"| {scale:g} | {iterations} | {' | '.join(cells)} |"


def _kernels(params: Params, scale: float, iterations: int) -> dict:
    crf = params.pseudo.crf.model_dump()
    wider = scale / params.pseudo.scale
    kernels = {n: {**crf[n], "sxy": crf[n]["sxy"] * wider} for n in ("gaussian", "bilateral")}
    return {"iterations": iterations, **kernels}


def _scored(
    split: ScoredSplit,
    root: ImageRoot,
    cams: Cams,
    alphas: tuple[float, float],
    refiner: Refiner,
    scale: float,
) -> list[str]:
    labels: dict[str, list[np.ndarray]] = {}
    seconds = 0.0
    for record in split.images:
        classes, maps = cams.of(record)
        pixels = np.asarray(root.image(record))
        began = time.perf_counter()
        refined = pseudo_label_scores(pixels, maps, alphas, refiner, scale)
        seconds += time.perf_counter() - began
        known = np.array([0, *(k + 1 for k in classes)], np.uint8)
        labels[record.id] = [known[scores.argmax(0)] for scores in refined]

    cells = []
    for number in range(len(alphas)):
        found = score_predictions(
            split, lambda record, n=number: labels[record.id][n], ["miou", "contour_f"]
        )
        cells.append(f"{found['miou']:.1f} / {found['contour_f']:.1f}")
    return [*cells, f"{seconds / len(split.images):.2f}"]


if __name__ == "__main__":
    main()
