"""Train the segmentation network on the random walk's label maps, or on official masks."""

from collections.abc import Callable, Mapping, Sequence
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
from hfpl.jobs.runtime import device_name
from hfpl.jobs.settings import Settings
from hfpl.networks.deeplab import DeepLab
from hfpl.numerics import Runtime
from hfpl.sections.network import network_of
from hfpl.stages.segment.params import SegmentAugmentation, SegmentHead
from hfpl.storage.manifest import ImageRecord, Manifest, MaskRecord, read_manifests, read_masks
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
    labels: Sequence[Path] = (),
    masks: Sequence[Path] = (),
    corrections: Sequence[Path] = (),
    weights: Path | None,
    network: Path,
    history: Path,
    digest: str,
) -> str:
    """Train on the images of manifests and their label maps; what was done, in words.

    Args:
        labels: shards of label maps, or none.
        masks: manifests of official masks to learn from instead, with the images that have one.
        corrections: manifests of masks to learn from in place of these images' label maps.

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
        pixels, masks, *weights = batch
        with runtime.autocast():
            logits = deeplab(pixels.contiguous(memory_format=torch.channels_last))
        return {"total": pixel_loss(logits, masks, *weights)}

    root, augmentation = ImageRoot(images), segment.augmentation
    records, label_map = _labelled(manifest, root, labels, masks)
    corrected = read_masks(corrections)
    own = {record.id: segment.corrections.weight for record in records if record.id in corrected}
    label_map = with_corrections(label_map, root, corrected)
    samples = SegmentSamples(records, root, label_map, augmentation, backbone.statistics, own)
    steps, optimiser = segment.iterations, segment.optimiser
    # As published, the learning rate would reach zero one step after the last.
    plan = Plan("segment train", steps, steps + 1, optimiser.power, seed)
    files = TrainingFiles(network, history, digest)
    # Of a run without CAMs, this network says what it was trained on.
    facts = {"device": device_name(runtime.device)} if masks else None
    train_stage(deeplab, samples, loss_of, segment.batch, optimiser, plan, files, runtime, facts)
    source = " on official masks" if masks else f", {len(own)} corrected masks" if own else ""
    return f"{steps} iterations{source}"


LabelMap = Callable[[ImageRecord], np.ndarray]
"""From an image's record to its label map, uint8 (h, w)."""


def labels_of(shards: Sequence[Path]) -> LabelMap:
    """Label maps in shards."""
    source = Shards(shards)
    return lambda record: source.mask(record.id)


def with_corrections(
    label_map: LabelMap, root: ImageRoot, corrected: Mapping[str, MaskRecord]
) -> LabelMap:
    """Label maps, those of corrected images by their masks."""

    def of(record: ImageRecord) -> np.ndarray:
        mask = corrected.get(record.id)
        return label_map(record) if mask is None else root.mask(mask, (record.height, record.width))

    return of


def _labelled(
    manifest: Manifest, root: ImageRoot, labels: Sequence[Path], masks: Sequence[Path]
) -> tuple[Sequence[ImageRecord], LabelMap]:
    """Images to learn from, and their label maps: the walk's, or official ones."""
    if bool(labels) == bool(masks):
        raise ValueError("give either label maps or mask manifests to learn from")
    if labels:
        return manifest.images, labels_of(labels)
    truths = read_masks(masks)
    known = [record for record in manifest.images if record.id in truths]
    if not known:
        raise ValueError("no training image has an official mask to learn from")
    return known, lambda record: root.mask(truths[record.id], (record.height, record.width))


def pixel_loss(logits: Tensor, masks: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of the pixels that are labelled, over the whole batch.

    Args:
        logits: float (N, C, H, W).
        masks: uint8 (N, H, W); ignored pixels do not count.
        weights: float (N,) of the images' pixels, or None where all weigh the same.
    """
    if weights is not None:
        each = functional.cross_entropy(
            logits, masks.long(), ignore_index=IGNORE, reduction="none"
        ).sum((1, 2))
        counts = (masks != IGNORE).sum((1, 2)).to(each)
        parts = torch.stack([(weights * each).sum(), (weights * counts).sum()])
        total, count = all_gather(parts[None]).sum(0)
        return total / count
    total = functional.cross_entropy(logits, masks.long(), ignore_index=IGNORE, reduction="sum")
    total, count = all_gather(torch.stack([total, (masks != IGNORE).sum().to(total)])[None]).sum(0)
    return total / count


def build_deeplab(backbone: nn.Module, num_classes: int, head: SegmentHead) -> DeepLab:
    """Segmentation network for K foreground classes, background added."""
    return DeepLab(
        backbone,
        num_classes + 1,
        head.channels,
        head.dilation,
        head.dropout,
        head.bn_momentum,
        head.skip,
    )


class SegmentSamples:
    """Training images and label maps, changed at random.

    Args:
        weights: of images by their ids, others weigh 1; where there are any, a sample has one.
    """

    def __init__(
        self,
        images: Sequence[ImageRecord],
        root: ImageRoot,
        label_map: LabelMap,
        settings: SegmentAugmentation,
        statistics: ColourStatistics,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.images, self.root, self.settings = images, root, settings
        self.statistics, self.label_map = statistics, label_map
        self.weights = weights or {}

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Normalised image (3, crop, crop) float32, label map (crop, crop) uint8, and the weight,
        float32, where images have different ones."""
        record, settings = self.images[index], self.settings
        image = shift_hsv(np.asarray(self.root.image(record)), rng, settings.hsv)
        mask = self.label_map(record)
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
        weight = [torch.tensor(self.weights.get(record.id, 1.0))] if self.weights else []
        return (
            torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
            torch.from_numpy(mask),
            *weight,
        )
