"""Score label maps: of the random walk, of the segmentation network, or of refined scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hfpl.jobs.settings import Settings
from hfpl.stages.evaluate.score import NOT_SCORED, score_predictions, scored_splits, table_row
from hfpl.stages.evaluate.scored import what_is_scored
from hfpl.storage.atomic import write_json
from hfpl.storage.manifest import ImageRecord
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards


def evaluate_masks(
    settings: Settings,
    *,
    images: Path,
    train_manifests: Sequence[Path],
    val_manifests: Sequence[Path],
    train_masks: Sequence[Path],
    val_masks: Sequence[Path],
    results: Sequence[Path],
    out: Path,
    scored: str,
) -> str:
    """Write a row per split, none for one without ground truth; what was done, in words.

    Args:
        results: shards of all splits: label maps, or the scores of every label, whose largest wins.
        scored: what it is, of :data:`hfpl.stages.evaluate.scored.SCORED`.
    """
    source, root, what = Shards(results), ImageRoot(images), what_is_scored(scored, settings)

    def predict(record: ImageRecord) -> np.ndarray:
        if not source.holds_scores(record.id):
            return source.mask(record.id)
        size = (record.height, record.width)
        labels, values = source.scores(record.id, size, counts_from=1)
        return np.array(labels, np.uint8)[values.argmax(0)]

    splits = ((train_manifests, train_masks), (val_manifests, val_masks))
    rows = [
        table_row(
            what.stage,
            what.post_processing,
            split,
            score_predictions(split, predict, settings.evaluate.metrics),
        )
        for split in scored_splits(splits, root)
    ]
    write_json(out, {"rows": rows})
    done = "scored" if rows else NOT_SCORED
    return f"{what.stage}, post-processing {what.post_processing}, {done}"
