"""Refine the CAMs of a shard by a dense CRF at both background powers."""

from pathlib import Path

import numpy as np

from hfpl.jobs.progress import track
from hfpl.stages.pseudo.crf import crf_settings, pseudo_label_scores
from hfpl.stages.pseudo.params import Pseudo
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shard, write_shard

BACKGROUND_CHANNEL = 0
"""First channel of the refined scores; class k of the tags is named k + 1."""


def refine_shard(
    settings: Pseudo, manifest: Path, root: ImageRoot, cams: Path, low: Path, high: Path
) -> int:
    """Write the scores at the low and at the high background power; returns the images' number.

    Raises:
        ValueError: an image or its CAMs cannot be read.
    """
    images = read_manifests([manifest]).images
    source = Shard(cams)
    alphas = (settings.alpha_low, settings.alpha_high)
    crf = crf_settings(settings.crf)
    with (
        write_shard(low) as low_shard,
        write_shard(high) as high_shard,
        track(f"pseudo {manifest.stem}", len(images), "images") as advance,
    ):
        for record in images:
            classes, scores = source.scores(record.id, (record.height, record.width))
            pixels = np.asarray(root.image(record))
            refined = pseudo_label_scores(pixels, scores, alphas, crf)
            channels = [BACKGROUND_CHANNEL, *(k + 1 for k in classes)]
            for shard, result in zip((low_shard, high_shard), refined, strict=True):
                shard.add_scores(record.id, channels, result)
            advance()
    return len(images)
