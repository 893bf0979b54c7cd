"""Train the affinity network on the confident parts of the refined CAMs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hfpl.images.augment import jitter_colours, random_crop
from hfpl.images.normalise import normalise
from hfpl.jobs.settings import Settings
from hfpl.networks.affinity import AffinityNetwork
from hfpl.networks.interface import Backbone
from hfpl.numerics import Runtime
from hfpl.sections.network import network_of
from hfpl.stages.affinity.labels import affinity_label, pair_labels
from hfpl.stages.affinity.loss import affinity_loss
from hfpl.stages.affinity.pairs import largest_radius, pair_affinity
from hfpl.stages.affinity.params import AffinityAugmentation
from hfpl.storage.manifest import Manifest, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards
from hfpl.training.loop import Plan
from hfpl.training.samples import steps_per_epoch
from hfpl.training.stage import TrainingFiles, train_stage
from hfpl.training.start import load_start, starting_backbone, weights_to_start_from


def train_affinity(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifests: Sequence[Path],
    low: Sequence[Path],
    high: Sequence[Path],
    weights: Path | None,
    model: Path,
    history: Path,
    digest: str,
) -> str:
    """Train on the images of manifests and their refined scores; what was done, in words.

    Raises:
        ValueError: a file cannot be read, or as :func:`hfpl.training.stage.train_stage`.
    """
    affinity, seed = settings.affinity, settings.chosen.variant.seed
    weights = weights_to_start_from(settings, "affinity", weights)
    backbone = starting_backbone(
        network_of(settings, "affinity"), "affinity", seed, weights is None
    )
    crop = affinity.augmentation.crop
    if crop % backbone.stride:
        raise ValueError(
            f"affinity.augmentation.crop: expected a multiple of the network's stride "
            f"{backbone.stride}, found {crop}"
        )
    network = AffinityNetwork(backbone, tuple(affinity.channels))
    load_start(network, weights, affinity.weights)

    def loss_of(batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        pixels, labels = batch
        with runtime.autocast():
            features = network(pixels.contiguous(memory_format=torch.channels_last))
        radius = largest_radius(*features.shape[2:], affinity.radius)
        pairs = pair_affinity(features.contiguous(), radius)
        return {"total": affinity_loss(pairs, *pair_labels(labels, radius))}

    manifest, root = read_manifests(manifests), ImageRoot(images)
    samples = AffinitySamples(manifest, root, low, high, backbone, affinity.augmentation)
    steps = affinity.epochs * steps_per_epoch(len(samples), affinity.batch)
    optimiser = affinity.optimiser
    plan = Plan("affinity", steps, steps, optimiser.power, seed)
    files = TrainingFiles(model, history, digest)
    train_stage(network, samples, loss_of, affinity.batch, optimiser, plan, files, runtime)
    return f"{affinity.epochs} epochs"


class AffinitySamples:
    """Crops of training images with the label of each cell of the feature map."""

    def __init__(
        self,
        manifest: Manifest,
        root: ImageRoot,
        low: Sequence[Path],
        high: Sequence[Path],
        backbone: Backbone,
        settings: AffinityAugmentation,
    ) -> None:
        self.images, self.root, self.settings = manifest.images, root, settings
        self.stride, self.statistics = backbone.stride, backbone.statistics
        self.low, self.high = Shards(low), Shards(high)

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised image (3, crop, crop) float32 and label (crop/stride, crop/stride) uint8."""
        record = self.images[index]
        size = (record.height, record.width)
        image = jitter_colours(self.root.image(record), rng, self.settings.jitter)
        # Channels last, so that one crop cuts image and scores; what lies outside is black with
        # score 0, and labelled as ignored.
        low, high = (
            source.scores(record.id, size, counts_from=1)[1].transpose(1, 2, 0)
            for source in (self.low, self.high)
        )
        pixels, low, high = random_crop(
            [(np.asarray(image), 0), (low, 0.0), (high, 0.0)], self.settings.crop, rng
        )
        label = affinity_label(low.transpose(2, 0, 1), high.transpose(2, 0, 1), self.stride)
        normal = normalise(pixels, self.statistics)
        if rng.random() < 0.5:
            normal, label = normal[:, ::-1], label[:, ::-1]
        return (
            torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1))),
            torch.from_numpy(np.ascontiguousarray(label)),
        )
