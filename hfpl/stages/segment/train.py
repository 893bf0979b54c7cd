"""Train the segmentation network on the random walk's label maps."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.distributed.batch import all_gather
from hfpl.images.augment import random_normalised_crop, shift_hsv
from hfpl.images.normalise import ColourStatistics
from hfpl.images.palette import IGNORE
from hfpl.jobs.settings import Settings
from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.sections.network import network_of
from hfpl.stages.segment.params import SegmentAugmentation, SegmentHead
from hfpl.storage.manifest import Manifest, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards
from hfpl.training.loop import Plan
from hfpl.training.stage import TrainingFiles, train_stage
from hfpl.training.start import load_start, starting_backbone, weights_to_start_from


def train_segment(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifests: Sequence[Path],
    labels: Sequence[Path],
    weights: Path | None,
    network: Path,
    history: Path,
    digest: str,
) -> str:
    """Train on the images of manifests and their label maps; what was done, in words.

    Raises:
        ValueError: a file cannot be read, or as :func:`hfpl.training.stage.train_stage`.
    """
    segment, seed = settings.segment, settings.chosen.variant.seed
    manifest = read_manifests(manifests)
    weights = weights_to_start_from(settings, "segment", weights)
    backbone = starting_backbone(network_of(settings, "segment"), "segment", seed, weights is None)
    deeplab = build_deeplab(backbone, len(manifest.classes), segment.head)
    load_start(deeplab, weights, segment.weights)

    def loss_of(batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        pixels, masks = batch
        with runtime.autocast():
            logits = deeplab(pixels.contiguous(memory_format=torch.channels_last))
        return {"total": pixel_loss(logits, masks)}

    root, augmentation = ImageRoot(images), segment.augmentation
    samples = SegmentSamples(manifest, root, labels, augmentation, backbone.statistics)
    steps, optimiser = segment.iterations, segment.optimiser
    # As published, the learning rate would reach zero one step after the last.
    plan = Plan("segment train", steps, steps + 1, optimiser.power, seed)
    files = TrainingFiles(network, history, digest)
    train_stage(deeplab, samples, loss_of, segment.batch, optimiser, plan, files, runtime)
    return f"{steps} iterations"


def pixel_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean cross-entropy of the pixels that are labelled, over the whole batch.

    Args:
        logits: float (N, C, H, W).
        masks: uint8 (N, H, W); ignored pixels do not count.
    """
    total = functional.cross_entropy(logits, masks.long(), ignore_index=IGNORE, reduction="sum")
    total, count = all_gather(torch.stack([total, (masks != IGNORE).sum().to(total)])[None]).sum(0)
    return total / count


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
        statistics: ColourStatistics,
    ) -> None:
        self.images, self.root, self.settings = manifest.images, root, settings
        self.statistics = statistics
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
        pixels, mask = random_normalised_crop(
            image, settings.crop, rng, self.statistics, [(mask, IGNORE)]
        )
        return (
            torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
            torch.from_numpy(mask),
        )
