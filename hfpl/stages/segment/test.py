"""Test the segmentation network at several scales, with and without a refiner after it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

from hfpl.images.normalise import normalise
from hfpl.jobs.progress import track
from hfpl.jobs.settings import Settings
from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.refiners import build_refiner
from hfpl.sections.network import network_of
from hfpl.stages.segment.refine import Scored, refined_labels
from hfpl.storage.manifest import ImageRecord, read_manifests, read_masks
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.storage.tensors import load_network


def segment_shard(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifest: Path,
    masks: Path | None,
    network: Path,
    plain: Path,
    refined: Path,
) -> str:
    """Write the label maps of a shard's images, without and with the refiner; what was done.

    Args:
        masks: mask manifest of the shard, to test the scored images alone; None for all.

    Raises:
        ValueError: an image or the model cannot be read.
    """
    content, test = read_manifests([manifest]), settings.segment.test
    records = content.images
    if masks is not None:
        known = read_masks([masks])
        records = tuple(record for record in records if record.id in known)
    trained = load_deeplab(settings, len(content.classes), network, runtime)
    scored = _scored(trained, records, ImageRoot(images), test.scales, runtime)
    refiner = build_refiner(test.refiner, test[test.refiner].as_dict())
    final = refined_labels(scored, refiner, runtime.workers)
    with (
        write_shard(plain, content.classes) as plain_shard,
        write_shard(refined, content.classes) as refined_shard,
        track(f"segment test {manifest.stem}", len(records), "images") as advance,
    ):
        for image, labels in final:
            plain_shard.add_mask(image.name, image.scores.argmax(0).astype(np.uint8))
            refined_shard.add_mask(image.name, labels)
            advance()
    return f"{len(records)} images of {manifest.stem}"


def _scored(
    network: DeepLab,
    images: Sequence[ImageRecord],
    root: ImageRoot,
    scales: Sequence[float],
    runtime: Runtime,
) -> Iterator[Scored]:
    for record in images:
        pixels = np.asarray(root.image(record))
        yield Scored(record.id, pixels, class_probabilities(network, pixels, scales, runtime))


def load_deeplab(settings: Settings, num_classes: int, model: Path, runtime: Runtime) -> DeepLab:
    """A trained segmentation network, ready for inference; ValueError where the file differs."""
    chosen = network_of(settings, "segment")
    backbone = build_backbone(chosen.backbone, chosen.options.as_dict())
    head = settings.segment.head
    # What is drawn and learned in training alone is no setting of a trained network.
    built = DeepLab(backbone, num_classes + 1, head.channels, head.dilation, 0.0, 0.1, head.skip)
    load_network(model, built)
    return built.to(runtime.device, memory_format=torch.channels_last).eval()


@torch.inference_mode()
def class_probabilities(
    network: DeepLab, pixels: np.ndarray, scales: Sequence[float], runtime: Runtime
) -> np.ndarray:
    """Probabilities of the C classes, float32 (C, h, w), of an RGB uint8 (h, w, 3) image.

    Logits of all scales and mirror images are averaged before the softmax.
    """
    height, width = pixels.shape[:2]
    total = 0
    for scale in scales:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
        plain = torch.from_numpy(normalise(resized, network.backbone.statistics).transpose(2, 0, 1))
        pair = torch.stack([plain, plain.flip(2)])
        with runtime.autocast():
            logits = network(pair.to(runtime.device, memory_format=torch.channels_last))
        logits = (logits[0] + logits[1].flip(2))[None]
        total = total + functional.interpolate(
            logits, (height, width), mode="bilinear", align_corners=True
        )
    mean = total[0] / (2 * len(scales))
    return mean.softmax(0).float().cpu().numpy()
