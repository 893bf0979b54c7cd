"""Refine the CAMs of a shard by a dense CRF at both background powers."""

from pathlib import Path

import numpy as np

from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.stages.pseudo.crf import crf_settings, pseudo_label_scores
from hfpl.storage.manifest import read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shard, write_shard

BACKGROUND_CHANNEL = 0
"""First channel of the refined scores; class k of the tags is named k + 1."""


def refine_shard(
    settings: Settings, *, images: Path, manifest: Path, cams: Path, low: Path, high: Path
) -> str:
    """Write the scores at the low and at the high background power; what was done, in words.

    Raises:
        ValueError: an image or its CAMs cannot be read.
    """
    records, root, source = read_manifests([manifest]).images, ImageRoot(images), Shard(cams)
    alphas = (settings.pseudo.alpha_low, settings.pseudo.alpha_high)
    crf = crf_settings(settings.pseudo.crf)
    with (
        write_shard(low) as low_shard,
        write_shard(high) as high_shard,
        track(f"pseudo {manifest.stem}", len(records), "images") as advance,
    ):
        for record in records:
            classes, scores = source.scores(record.id, (record.height, record.width))
            pixels = np.asarray(root.image(record))
            refined = pseudo_label_scores(pixels, scores, alphas, crf)
            channels = [BACKGROUND_CHANNEL, *(k + 1 for k in classes)]
            for shard, result in zip((low_shard, high_shard), refined, strict=True):
                shard.add_scores(record.id, channels, result)
            advance()
    return f"{len(records)} images of {manifest.stem}"
