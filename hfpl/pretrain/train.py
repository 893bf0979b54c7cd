"""Train a backbone to classify generated pictures of one object each."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.data.shapes import draw_scene
from hfpl.images.normalise import normalise
from hfpl.networks.backbones import build_backbone
from hfpl.networks.interface import StandsOnBackbone
from hfpl.params.network import Network, Pretrain
from hfpl.params.training import AdamW, LearningRateFactors
from hfpl.runtime import Runtime, seed_torch
from hfpl.storage.tensors import load_tensors, save_tensors
from hfpl.training.loop import Plan
from hfpl.training.samples import steps_per_epoch
from hfpl.training.stage import TrainingFiles, train_stage

_POWER = 0.9


def pretrain_backbone(
    settings: Pretrain, network: Network, weights: Path, files: TrainingFiles, runtime: Runtime
) -> None:
    """Train a classifier and write its backbone's weights.

    Args:
        weights: where the backbone's weights go; the classifier's own go to ``files.model``.
    """
    seed_torch("pretrain", settings.seed)
    classifier = _Classifier(build_backbone(network.backbone, network.options), settings.classes)
    steps = settings.epochs * steps_per_epoch(settings.images, settings.batch)
    optimiser = AdamW(
        name="adamw",
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        power=_POWER,
        factors=LearningRateFactors(biases=1.0, new_weights=1.0, new_biases=1.0),
    )

    def loss_of(batch: list[Tensor]) -> dict[str, Tensor]:
        images, classes = batch
        with runtime.autocast():
            logits = classifier(images.contiguous(memory_format=torch.channels_last))
        correct = (logits.argmax(1) == classes).float().mean()
        return {"total": functional.cross_entropy(logits.float(), classes), "accuracy": correct}

    plan = Plan("pretrain", steps, steps, _POWER, settings.seed)
    samples = _Pictures(settings)
    train_stage(classifier, samples, loss_of, settings.batch, optimiser, plan, files, runtime)
    tensors, _ = load_tensors(files.model)
    prefix = "backbone."
    save_tensors(
        weights, {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
    )
    files.model.unlink()


class _Classifier(StandsOnBackbone):
    """Linear classifier on the spatial mean."""

    def __init__(self, backbone: nn.Module, num_classes: int) -> None:
        super().__init__(backbone)
        self.classifier = nn.Linear(backbone.channels[2], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images).conv6.mean((2, 3)))


class _Pictures:
    """Pictures drawn when they are asked for, mirrored at random."""

    def __init__(self, settings: Pretrain) -> None:
        self.settings = settings

    def __len__(self) -> int:
        return self.settings.images

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        s = self.settings
        scene = draw_scene(
            s.seed,
            index,
            size=s.size,
            num_classes=s.classes,
            single_object=True,
            min_extent=s.min_extent,
            max_extent=s.max_extent,
            texture_amplitude=s.texture_amplitude,
            head_fraction=s.head_fraction,
        )
        image = normalise(scene.image)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return tensor, torch.tensor(scene.classes[0])
