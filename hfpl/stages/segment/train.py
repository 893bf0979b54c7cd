"""Train the segmentation network on the random walk's label maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.distributed.batch import whole_batch
from hfpl.images.augment import random_normalised_crop, shift_hsv
from hfpl.images.palette import IGNORE
from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.sections.network import Network
from hfpl.stages.segment.params import Segment, SegmentAugmentation, SegmentHead
from hfpl.storage.manifest import Manifest, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards
from hfpl.training.loop import Plan
from hfpl.training.stage import TrainingFiles, train_stage
from hfpl.training.start import load_start, starting_backbone


def train_segment(
    settings: Segment,
    network: Network,
    seed: int,
    manifests: Sequence[Path],
    root: ImageRoot,
    labels: Sequence[Path],
    weights: Path | None,
    files: TrainingFiles,
    runtime: Runtime,
) -> None:
    """Train on the images of manifests and their label maps, and write the network.

    Raises:
        ValueError: a file cannot be read, or as :func:`hfpl.training.stage.train_stage`.
    """
    manifest = read_manifests(manifests)
    backbone = starting_backbone(network, "segment", seed, weights is None)
    deeplab = build_deeplab(backbone, len(manifest.classes), settings.head)
    load_start(deeplab, weights, settings.weights)

    def loss_of(batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        images, masks = batch
        with runtime.autocast():
            logits = deeplab(images.contiguous(memory_format=torch.channels_last))
        return {"total": pixel_loss(logits, masks)}

    samples = SegmentSamples(manifest, root, labels, settings.augmentation)
    # As published, the learning rate would reach zero one step after the last.
    plan = Plan(
        "segment train",
        settings.iterations,
        settings.iterations + 1,
        settings.optimiser.power,
        seed,
    )
    train_stage(
        deeplab,
        samples,
        loss_of,
        settings.batch,
        settings.optimiser,
        plan,
        files,
        runtime,
        {DESCRIPTION: describe_model(settings, network, manifest)},
    )


def pixel_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean cross-entropy of the pixels that are labelled, over the whole batch.

    Args:
        logits: float (N, C, H, W).
        masks: uint8 (N, H, W); ignored pixels do not count.
    """
    total = functional.cross_entropy(logits, masks.long(), ignore_index=IGNORE, reduction="sum")
    total, count = whole_batch(torch.stack([total, (masks != IGNORE).sum().to(total)])[None]).sum(0)
    return total / count


DESCRIPTION = "segment"
"""Key in the model's metadata."""


def describe_model(settings: Segment, network: Network, manifest: Manifest) -> dict[str, Any]:
    """What labelling a photograph takes besides the weights, as JSON.

    The test's settings are those of the time of training: no weight depends on them, and a change
    of them is no reason to train again.
    """
    return {
        "classes": list(manifest.classes),
        "backbone": network.backbone,
        "options": network.options,
        "head": settings.head.model_dump(),
        "test": settings.test.model_dump(),
        "long_side": max(max(image.height, image.width) for image in manifest.images),
    }


def build_deeplab(backbone: nn.Module, num_classes: int, head: SegmentHead) -> DeepLab:
    """Segmentation network for K foreground classes, background added."""
    return DeepLab(
        backbone, num_classes + 1, head.channels, head.dilation, head.dropout, head.bn_momentum
    )


class SegmentSamples:
    """Training images and label maps, changed at random."""

    def __init__(
        self,
        manifest: Manifest,
        root: ImageRoot,
        labels: Sequence[Path],
        settings: SegmentAugmentation,
    ) -> None:
        self.images, self.root, self.settings = manifest.images, root, settings
        self.labels = Shards(labels)

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised image (3, crop, crop) float32 and label map (crop, crop) uint8."""
        record, settings = self.images[index], self.settings
        image = shift_hsv(np.asarray(self.root.image(record)), rng, settings.hsv)
        mask = self.labels.mask(record.id)
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f"label map of '{record.id}' is {mask.shape}, its image {image.shape[:2]} pixels"
            )
        if rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        scale = rng.uniform(*settings.scale)
        size = tuple(max(1, round(side * scale)) for side in (record.width, record.height))
        image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_CUBIC)
        mask = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST)
        pixels, mask = random_normalised_crop(image, settings.crop, rng, [(mask, IGNORE)])
        return (
            torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
            torch.from_numpy(mask),
        )
