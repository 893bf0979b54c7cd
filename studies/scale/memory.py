"""How much each stage keeps in memory for each image of the set, beside the pixels of one.

Measured as what Python has allocated for the very objects that a stage holds while it works, for
twice as many images less once: a difference of peaks of whole processes would drown in their noise.
"""

import gc
import json
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from hfpl.images.normalise import IMAGENET
from hfpl.plugins.formats import layout as voc
from hfpl.stages.affinity.train import AffinitySamples
from hfpl.stages.cam.train import CamSamples
from hfpl.stages.evaluate.score import read_split
from hfpl.stages.segment.train import SegmentSamples, labels_of
from hfpl.storage.manifest import (
    ImageRecord,
    Manifest,
    MaskRecord,
    read_manifests,
    read_masks,
    write_manifest,
    write_masks,
)
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shard, Shards, write_shard

IMAGES = 2000
_CLASSES, _SIDES = 20, 200


@dataclass(frozen=True)
class Kept:
    """What a job keeps in memory.

    Attributes:
        of_set: bytes for each image of the set: those that the job reads, where it reads all, and
            the archive's directory.
        of_shard: bytes for each image of its shard, where it reads one shard alone.
        opening: bytes for each image, of set or shard, at the peak while files are opened.
    """

    of_set: float
    of_shard: float
    opening: float

    def per_image(self, shards: int) -> float:
        """Bytes for each image of the set where all of them are in so many shards."""
        return self.of_set + self.of_shard / shards


def bytes_per_image(images: int = IMAGES) -> dict[str, Kept]:
    """Job → what it keeps, measured with so many images and twice as many."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Made(Path(folder) / str(n), n) for n in (images, 2 * images))

        def grown(hold: Callable[[Made], Any]) -> tuple[float, float]:
            sizes = zip(_allocated(hold, few), _allocated(hold, many), strict=True)
            return tuple((large - small) / images for small, large in sizes)

        found = {}
        for name, hold in _OF_SET.items():
            kept, opening = grown(hold)
            found[name] = Kept(kept, 0.0, opening)
        archive, _ = grown(_root)
        for name, hold in _OF_SHARD.items():
            kept, opening = grown(hold)
            found[name] = Kept(archive, kept, opening)
    return found


class Made:
    """Manifests and results of images that are not there: lists and directories alone."""

    def __init__(self, folder: Path, images: int) -> None:
        folder.mkdir()
        self.folder = folder
        rng = np.random.default_rng(0)
        self.ids = [f"2008_{number:06d}" for number in range(images)]
        sides = rng.integers(500 - _SIDES, 501, (images, 2)).tolist()
        tags = [rng.choice(_CLASSES, rng.integers(1, 4), replace=False) for _ in self.ids]
        records = [
            ImageRecord(i, f"{voc.IMAGES}/{i}.jpg", *size, tuple(sorted(t.tolist())), _digest(k))
            for k, (i, size, t) in enumerate(zip(self.ids, sides, tags, strict=True))
        ]
        masks = [MaskRecord(i, f"{voc.MASKS}/{i}.png", _digest(k)) for k, i in enumerate(self.ids)]
        self.manifest, self.masks = folder / "train-0.json", folder / "train-0.masks.json"
        write_manifest(self.manifest, Manifest("voc", "train", voc.VOC_CLASSES, tuple(records)))
        write_masks(self.masks, masks)
        self.archive, self.scores = folder / "voc.zip", folder / "scores.zip"
        parts = ((voc.IMAGES, "jpg"), (voc.MASKS, "png"), (voc.ANNOTATIONS, "xml"))
        with zipfile.ZipFile(self.archive, "w") as archive:
            for part, ending in parts:
                for image_id in self.ids:
                    archive.writestr(f"{part}/{image_id}.{ending}", b"")
        with zipfile.ZipFile(self.scores, "w") as archive:
            for image_id in self.ids:
                archive.writestr(f"{image_id}.png", b"")
            channels = {r.id: [0, *(tag + 1 for tag in r.tags)] for r in records}
            index = {"counts_from": 1, "images": channels}
            archive.writestr("index.json", json.dumps(index))


def _digest(number: int) -> str:
    return f"{number:064x}"


def _allocated(hold: Callable[[Made], Any], made: Made) -> tuple[int, int]:
    """Bytes of what is held, once everything else is gone, and at the peak before."""
    hold(made)  # What is made once for the process does not count.
    gc.collect()
    tracemalloc.start()
    held = hold(made)
    gc.collect()
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del held
    return size, peak


def _root(made: Made) -> ImageRoot:
    root = ImageRoot(made.archive)
    root.exists("")  # The directory is read at the first access.
    return root


def _written(made: Made, *names: str) -> list[Any]:
    """Writers of shards that have written all but the last of their content."""
    held = []
    for name in names:
        context = write_shard(made.folder / name, counts_from=0)
        writer = context.__enter__()
        for image_id in made.ids:
            writer.add_scores(image_id, [], np.zeros((0, 1, 1), np.float32))
            # A member without content, but as large a directory.
            writer._write(f"{image_id}.png", b"")
        held += [context, writer]
    return held


def _masks(made: Made) -> list[Path]:
    return [made.masks]


_SETTINGS: Any = (None, IMAGENET)
"""Augmentation and colours say nothing about memory."""
_BACKBONE: Any = (SimpleNamespace(stride=8, statistics=IMAGENET), None)

_OF_SET: dict[str, Callable[[Made], Any]] = {
    "data": lambda m: (_root(m), read_manifests([m.manifest])),
    "cam train": lambda m: CamSamples(read_manifests([m.manifest]), _root(m), *_SETTINGS),
    "affinity": lambda m: AffinitySamples(
        read_manifests([m.manifest]), _root(m), [m.scores], [m.scores], *_BACKBONE
    ),
    "segment train": lambda m: SegmentSamples(
        read_manifests([m.manifest]).images, _root(m), labels_of([m.scores]), *_SETTINGS
    ),
    "evaluate": lambda m: (read_split([m.manifest], [m.masks], _root(m)), Shards([m.scores])),
    "report, choosing": lambda m: (_root(m), read_manifests([m.manifest]), read_masks([m.masks])),
    "report, drawing": lambda m: (_root(m), *(Shards([m.scores]) for _ in range(3))),
}
"""Jobs that read the whole set: what holds one entry per image."""

_OF_SHARD: dict[str, Callable[[Made], Any]] = {
    "cam infer": lambda m: (read_manifests([m.manifest]), _written(m, "a")),
    "pseudo": lambda m: (read_manifests([m.manifest]), Shard(m.scores), _written(m, "a", "b")),
    "walk": lambda m: (read_manifests([m.manifest]), Shard(m.scores), _written(m, "a")),
    "segment test": lambda m: (
        read_manifests([m.manifest]), read_masks([m.masks]), _written(m, "a", "b")
    ),
}  # fmt: skip
"""Jobs that read one shard: the same, but for the archive's directory."""
