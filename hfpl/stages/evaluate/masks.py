"""Score label maps: of the random walk, the segmentation network, or the CRF's best class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hfpl.stages.evaluate.score import read_split, score_predictions, table_row
from hfpl.storage.atomic import write_json
from hfpl.storage.manifest import ImageRecord
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards


def evaluate_masks(
    stage: str,
    post_processing: str,
    manifests: Sequence[Sequence[Path]],
    masks: Sequence[Sequence[Path]],
    root: ImageRoot,
    results: Sequence[Path],
    output: Path,
    scores: bool = False,
) -> int:
    """Write a row per split, none for one without ground truth; returns their number.

    Args:
        stage, post_processing: what the rows are called.
        manifests, masks: for each split the files of its shards.
        results: shards of all splits: label maps, or with ``scores`` the scores of every
            label, whose largest wins.
    """
    source = Shards(results)

    def predict(record: ImageRecord) -> np.ndarray:
        if not scores:
            return source.mask(record.id)
        labels, values = source.scores(record.id, (record.height, record.width))
        return np.array(labels, np.uint8)[values.argmax(0)]

    rows = []
    for split_manifests, split_masks in zip(manifests, masks, strict=True):
        split = read_split(split_manifests, split_masks, root)
        if split.images:
            found = score_predictions(split, predict)
            rows.append(table_row(stage, post_processing, split, found))
    write_json(output, {"rows": rows})
    return len(rows)
