"""Score the CAMs: the whole threshold curve, and rows at two thresholds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hfpl.jobs.settings import Settings
from hfpl.stages.cam.calibrate import Cams
from hfpl.stages.evaluate.cam_curve import (
    CAM_THRESHOLDS,
    cam_statistics,
    curve_from_statistics,
    predict_from_cams,
)
from hfpl.stages.evaluate.score import (
    NOT_SCORED,
    Predict,
    ScoredSplit,
    percent,
    score_predictions,
    scored_splits,
    table_row,
)
from hfpl.stages.evaluate.table import BEST, FIXED
from hfpl.storage.atomic import write_json
from hfpl.storage.manifest import ImageRecord
from hfpl.storage.reading import ImageRoot


def evaluate_cams(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    train_masks: Sequence[Path],
    val_masks: Sequence[Path],
    results: Sequence[Path],
    calibration: Path | None = None,
    out: Path,
) -> str:
    """Write rows and a curve of each split, none for one without ground truth; what was done.

    Args:
        results: shards of CAMs of all splits.
    """
    source, root = Cams(results, calibration), ImageRoot(images)
    background_score = settings.evaluate.background_score[settings.chosen.variant.method]
    metrics = settings.evaluate.metrics
    rows, curves = [], {}
    splits = ((train_manifests, train_masks), (val_manifests, val_masks))
    for split in scored_splits(splits, root):
        curve = cam_curve(split, source)
        curves[split.split] = [percent(value) for value in curve]
        best = CAM_THRESHOLDS[int(curve.argmax())]
        for threshold, chosen in ((background_score, FIXED), (best, BEST)):
            scores = score_predictions(split, cam_predictor(source, threshold), metrics)
            rows.append(table_row("cam", "none", split, scores, threshold, chosen))
    curve_table = {"thresholds": list(CAM_THRESHOLDS), "miou": curves}
    write_json(out, {"rows": rows, "curve": curve_table})
    return "CAMs " + ("scored" if rows else NOT_SCORED)


def cam_curve(split: ScoredSplit, source: Cams) -> np.ndarray:
    """mIoU of a split's CAMs at every threshold of :data:`CAM_THRESHOLDS`, fractions (T,): of the
    classes that its ground truth shows."""
    thresholds = np.array(CAM_THRESHOLDS)
    total: np.ndarray | int = 0
    for record, truth in split.pairs():
        classes, cams = source.of(record)
        total = total + cam_statistics(
            truth, cams, np.array(classes, int), thresholds, split.num_classes
        )
    seen = np.asarray(total).sum(axis=(1, 2)) > 0
    return curve_from_statistics(np.asarray(total))[:, seen].mean(1)


def cam_predictor(source: Cams, threshold: float) -> Predict:
    """Label maps of CAMs at a threshold."""

    def predict(record: ImageRecord) -> np.ndarray:
        classes, cams = source.of(record)
        return predict_from_cams(cams, np.array(classes, int), threshold)

    return predict
