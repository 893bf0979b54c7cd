"""A few drawn pictures of one size, and what the stages would have made of them."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from hfpl.images.palette import encode_mask
from hfpl.plugins.formats import layout as voc
from hfpl.plugins.formats.shapes.drawing import draw_scene
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, write_manifest, write_masks
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard

_DRAWN_CLASSES = 6


class Pictures:
    """Manifest, masks, CAMs, refined scores and label maps of so many pictures.

    VOC's twenty classes are known, and six are drawn. What stages make is made of the masks: CAMs
    and scores are blurred masks, label maps are the masks themselves.
    """

    def __init__(self, folder: Path, side: int, images: int) -> None:
        self.folder, self.count = folder, images
        self.manifest, self.masks = folder / "train-0.json", folder / "train-0.masks.json"
        self.cams, self.scores = folder / "cams.zip", folder / "scores.zip"
        self.labels = folder / "labels.zip"
        for part in (voc.IMAGES, voc.MASKS):
            (folder / part).mkdir()
        records, masks = [], []
        with (
            write_shard(self.cams, counts_from=0) as cams,
            write_shard(self.scores, counts_from=1) as scores,
            write_shard(self.labels) as labels,
        ):
            for number, name in enumerate(f"{k:06d}" for k in range(images)):
                scene = draw_scene(0, number, size=side, num_classes=_DRAWN_CLASSES)
                tags = tuple(sorted(set(scene.classes)))
                file, mask = f"{voc.IMAGES}/{name}.jpg", f"{voc.MASKS}/{name}.png"
                Image.fromarray(scene.image).save(folder / file, quality=95)
                (folder / mask).write_bytes(encode_mask(scene.mask))
                records.append(ImageRecord(name, file, side, side, tags, ""))
                masks.append(MaskRecord(name, mask, ""))
                channels = [0, *(tag + 1 for tag in tags)]
                maps = blurred(scene.mask, channels)
                cams.add_scores(name, tags, maps[1:])
                scores.add_scores(name, channels, maps)
                labels.add_mask(name, scene.mask)
        write_manifest(self.manifest, Manifest("p", "train", voc.VOC_CLASSES, tuple(records)))
        write_masks(self.masks, masks)
        self.root = ImageRoot(folder)


def blurred(mask: np.ndarray, labels: list[int]) -> np.ndarray:
    """Scores, float32 (m, h, w), that fall off around the labels' areas in a mask (h, w)."""
    width = 2 * (len(mask) // 32) + 1
    return np.stack([cv2.GaussianBlur((mask == k).astype(np.float32), (width, width), 0)
                     for k in labels])  # fmt: skip
