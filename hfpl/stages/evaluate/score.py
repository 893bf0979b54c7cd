"""Score label maps of a split: what the evaluations of all stages share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hfpl.stages.evaluate.contours import contour_counts, contour_scores
from hfpl.stages.evaluate.regions import confusion_matrix, intersection_over_union
from hfpl.stages.evaluate.table import NONE
from hfpl.storage.manifest import ImageRecord, read_manifests, read_masks
from hfpl.storage.reading import ImageRoot

Predict = Callable[[ImageRecord], np.ndarray]
"""From an image's record to its predicted label map, uint8 (h, w)."""


@dataclass(frozen=True)
class ScoredSplit:
    """The images of a split that have a ground truth; there may be none."""

    split: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    _truths: Callable[[ImageRecord], np.ndarray]

    @property
    def num_classes(self) -> int:
        """C, background included."""
        return len(self.classes) + 1

    def pairs(self) -> Iterator[tuple[ImageRecord, np.ndarray]]:
        """Each image's record and ground truth, uint8 (h, w), 255 ignored."""
        for record in self.images:
            yield record, self._truths(record)


NOT_SCORED = "not scored: no image has a ground truth"


def scored_splits(
    files: Iterable[tuple[Sequence[Path], Sequence[Path]]], root: ImageRoot
) -> Iterator[ScoredSplit]:
    """The splits that have images with a ground truth, of their manifests and masks' manifests."""
    for manifests, masks in files:
        split = read_split(manifests, masks, root)
        if split.images:
            yield split


def read_split(manifests: Sequence[Path], masks: Sequence[Path], root: ImageRoot) -> ScoredSplit:
    """Images of one split's manifests that are scored.

    Raises:
        ValueError: a manifest cannot be read.
    """
    manifest = read_manifests(manifests)
    truths = {image_id: mask.file for image_id, mask in read_masks(masks).items()}
    scored = tuple(record for record in manifest.images if record.id in truths)

    def truth(record: ImageRecord) -> np.ndarray:
        return root.mask(truths[record.id], (record.height, record.width))

    return ScoredSplit(manifest.split, manifest.classes, scored, truth)


def score_predictions(split: ScoredSplit, predict: Predict) -> dict[str, object]:
    """Region and contour scores over a whole split, in percent.

    Returns:
        ``images``, ``unseen_classes`` (how many foreground classes no mask shows: the means count
        them too), ``miou``, ``contour_f``, ``contour_precision``, ``contour_recall`` (means over
        classes), and ``iou`` and ``contour_f_per_class`` by class name.

    Raises:
        ValueError: no image has a ground truth, or a prediction does not fit its own.
    """
    if not split.images:
        # Contours of nothing would count as perfect.
        raise ValueError(f"no image of {split.split} has a ground truth to be scored against")
    confusion = np.zeros((split.num_classes, split.num_classes), np.int64)
    contours = np.zeros((split.num_classes - 1, 4), np.int64)
    for record, truth in split.pairs():
        prediction = predict(record)
        try:
            confusion += confusion_matrix(truth, prediction, split.num_classes)
            contours += contour_counts(truth, prediction, split.num_classes)
        except ValueError as error:
            raise ValueError(f"image {record.id}: {error}") from None
    iou = intersection_over_union(confusion)
    precision, recall, f = contour_scores(contours)
    return {
        "images": len(split.images),
        "unseen_classes": int(np.count_nonzero(confusion[1:].sum(1) == 0)),
        "miou": percent(iou.mean()),
        "contour_f": percent(f.mean()),
        "contour_precision": percent(precision.mean()),
        "contour_recall": percent(recall.mean()),
        "iou": dict(zip(("background", *split.classes), map(percent, iou), strict=True)),
        "contour_f_per_class": dict(zip(split.classes, map(percent, f), strict=True)),
    }


def percent(fraction: float) -> float:
    """Fraction as percent with four decimals: more than any comparison needs."""
    return round(100 * float(fraction), 4)


def table_row(
    stage: str,
    post_processing: str,
    split: ScoredSplit,
    scores: dict[str, object],
    threshold: float | None = None,
    chosen: str = NONE,
) -> dict[str, object]:
    """A row that says what was scored, so that no number can be misread."""
    return {
        "split": split.split,
        "stage": stage,
        "post_processing": post_processing,
        "threshold": threshold,
        "threshold_chosen": chosen,
        **scores,
    }
