"""Score label maps of a split: what the evaluations of all stages share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hfpl.images.palette import IGNORE
from hfpl.plugins.metrics import build_metric, columns_of
from hfpl.stages.evaluate.table import COUNTS, NONE
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
    # Of a large set, what is not needed any more is not kept.
    truths = {i: replace(mask, id="") for i, mask in read_masks(masks).items()}
    scored = tuple(record for record in manifest.images if record.id in truths)

    def truth(record: ImageRecord) -> np.ndarray:
        return root.mask(truths[record.id], (record.height, record.width))

    return ScoredSplit(manifest.split, manifest.classes, scored, truth)


Counts = dict[str, np.ndarray]
"""Metric → its counts, summed over a split."""


def score_predictions(
    split: ScoredSplit, predict: Predict, metrics: Sequence[str]
) -> dict[str, object]:
    """Scores over a whole split, in percent.

    Args:
        metrics: names of files in hfpl/plugins/metrics.

    Returns:
        ``images``, ``unseen_classes`` (how many foreground classes no mask shows: they count in no
        mean), ``counts`` (:func:`counts_of`), and the metrics' columns (:func:`scores_of`).

    Raises:
        ValueError: no image has a ground truth, or a prediction does not fit its own.
    """
    if not split.images:
        # Contours of nothing would count as perfect.
        raise ValueError(f"no image of {split.split} has a ground truth to be scored against")
    built = {name: build_metric(name, split.num_classes) for name in metrics}
    counts: Counts = {}
    seen = np.zeros(split.num_classes, bool)
    for record, truth in split.pairs():
        prediction = predict(record)
        try:
            for name, metric in built.items():
                found = metric.counts(truth, prediction)
                counts[name] = counts[name] + found if name in counts else found
        except ValueError as error:
            raise ValueError(f"image {record.id}: {error}") from None
        seen |= np.bincount(truth.ravel(), minlength=IGNORE + 1)[: split.num_classes] > 0
    return {
        "images": len(split.images),
        "unseen_classes": int((~seen[1:]).sum()),
        **scores_of(counts, split.classes, seen),
        COUNTS: counts_of(counts),
    }


def scores_of(
    counts: Mapping[str, Any], classes: Sequence[str], seen: np.ndarray
) -> dict[str, object]:
    """Scores of a set from its counts, in percent.

    Args:
        counts: metric → its counts, as arrays or as :func:`counts_of` gives them.
        classes: names of the K foreground classes.
        seen: bool (C,), whether the ground truth shows a class. Others count in no mean: without
            ground truth there is nothing that could be found.

    Returns:
        Each metric's means, and its scores per class by the class's name, None of one unseen.
    """
    found: dict[str, object] = {}
    for name, of_metric in counts.items():
        columns = columns_of(name)
        metric = build_metric(name, len(classes) + 1)
        scores = metric.scores(np.asarray(of_metric))
        here = seen[-len(scores[0]) :]
        for column, of_classes in zip(columns.means, scores, strict=True):
            # Of images without any class, contours of nothing found in nothing are perfect.
            found[column] = percent(of_classes[here].mean() if here.any() else of_classes.mean())
        names = ("background", *classes)[-len(scores[0]) :]
        found[columns.per_class] = {
            name: percent(score) if shown else None
            for name, score, shown in zip(names, scores[0], here, strict=True)
        }
    return found


def counts_of(counts: Mapping[str, np.ndarray]) -> dict[str, list]:
    """Counts for a file of JSON: metric → nested lists of integers, in the array's shape."""
    return {name: array.tolist() for name, array in counts.items()}


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
