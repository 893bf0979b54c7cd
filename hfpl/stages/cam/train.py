"""Train the CAM network: a method's losses, with ISL and FSL attached."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hfpl.images.augment import jitter_colours, random_normalised_crop, resize_long_side
from hfpl.images.normalise import ColourStatistics
from hfpl.jobs.runtime import device_name
from hfpl.jobs.settings import Settings
from hfpl.numerics import Runtime
from hfpl.plugins.methods import build_method
from hfpl.sections.network import network_of
from hfpl.stages.cam.addon import attach, total_loss
from hfpl.stages.cam.params import Augmentation
from hfpl.storage.manifest import Manifest, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.training.loop import Plan
from hfpl.training.samples import steps_per_epoch
from hfpl.training.stage import TrainingFiles, train_stage
from hfpl.training.start import load_start, starting_backbone, weights_to_start_from


def train_cam(
    settings: Settings,
    runtime: Runtime,
    *,
    images: Path,
    manifests: Sequence[Path],
    weights: Path | None,
    model: Path,
    history: Path,
    digest: str,
) -> str:
    """Train on the images of manifests and write the network; what was done, in words.

    Raises:
        ValueError: an image or the weights cannot be read, or as
            :func:`hfpl.training.stage.train_stage`.
    """
    cam, variant = settings.cam, settings.chosen.variant
    manifest = read_manifests(manifests)
    weights = weights_to_start_from(settings, "cam", weights)
    backbone = starting_backbone(network_of(settings, "cam"), "cam", variant.seed, weights is None)
    network = build_method(
        variant.method, backbone, len(manifest.classes), cam.methods[variant.method].as_dict()
    )
    load_start(network, weights, cam.weights)
    # Without an added loss, its settings are none of this training's parameters.
    isl = cam.isl if variant.isl != "none" else None
    fsl = cam.fsl if variant.fsl else None

    def loss_of(batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        pixels, labels = batch
        with runtime.autocast():
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            loss = network.losses(pixels, labels, progress)
        terms = attach(
            loss,
            labels,
            backbone.statistics,
            form=variant.isl,
            isl=isl,
            fsl=fsl,
            progress=progress,
        )
        return {"total": total_loss(terms), **{name: t.value for name, t in terms.items()}}

    samples = CamSamples(manifest, ImageRoot(images), cam.augmentation, backbone.statistics)
    steps = cam.epochs * steps_per_epoch(len(samples), cam.batch)
    rate = cam.rates[variant.method] if "rates" in cam.keys() else 1.0  # noqa: SIM118
    plan = Plan("cam train", steps, steps, cam.optimiser.power, variant.seed, rate)
    facts = {"device": device_name(runtime.device)}
    files = TrainingFiles(model, history, digest)
    train_stage(network, samples, loss_of, cam.batch, cam.optimiser, plan, files, runtime, facts)
    added = " and ".join(name for name, loss in (("ISL", isl), ("FSL", fsl)) if loss is not None)
    return f"{cam.epochs} epochs of {variant.method}" + (f" with {added}" if added else "")


class CamSamples:
    """Training images, changed at random, with their image-level labels."""

    def __init__(
        self,
        manifest: Manifest,
        root: ImageRoot,
        settings: Augmentation,
        statistics: ColourStatistics,
    ) -> None:
        self.images, self.root, self.settings = manifest.images, root, settings
        self.statistics = statistics
        self.num_classes = len(manifest.classes)

    def __len__(self) -> int:
        return len(self.images)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised image (3, crop, crop) and label (K,), both float32."""
        record, settings = self.images[index], self.settings
        low, high = (round(settings.crop * limit) for limit in settings.resize)
        image = resize_long_side(self.root.image(record), int(rng.integers(low, high + 1)))
        mirrored = rng.random() < 0.5
        pixels = np.asarray(jitter_colours(image, rng, settings.jitter))
        if mirrored:
            pixels = pixels[:, ::-1]
        (pixels,) = random_normalised_crop(pixels, settings.crop, rng, self.statistics)
        label = torch.zeros(self.num_classes)
        label[list(record.tags)] = 1
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), label
