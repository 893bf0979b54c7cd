"""Train a backbone to classify generated pictures of one object each."""

from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hfpl.distributed.process import rank
from hfpl.images.normalise import ColourStatistics, normalise
from hfpl.jobs.settings import Settings
from hfpl.networks.interface import StandsOnBackbone, widths
from hfpl.numerics import Runtime, seed_torch
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.formats.shapes.drawing import Scene, draw_scene
from hfpl.sections.training import AdamW, LearningRateFactors
from hfpl.stages.pretrain.params import Pretrain
from hfpl.storage.tensors import load_tensors, save_tensors
from hfpl.training.loop import Plan
from hfpl.training.samples import steps_per_epoch
from hfpl.training.stage import TrainingFiles, train_stage

_POWER = 0.9


def pretrain_backbone(
    settings: Settings, runtime: Runtime, *, weights: Path, history: Path, digest: str
) -> str:
    """Train a classifier and write its backbone's weights; what was done, in words."""
    pretrain, network = settings.pretrain, settings.network
    seed_torch("pretrain", pretrain.seed)
    backbone = build_backbone(network.backbone, network.options.as_dict())
    classifier = _Classifier(backbone, pretrain.classes)
    steps = pretrain.epochs * steps_per_epoch(pretrain.images, pretrain.batch)
    optimiser = AdamW(
        name="adamw",
        lr=pretrain.lr,
        weight_decay=pretrain.weight_decay,
        power=_POWER,
        factors=LearningRateFactors(biases=1.0, new_weights=1.0, new_biases=1.0),
    )

    def loss_of(batch: list[Tensor], progress: float) -> dict[str, Tensor]:
        images, classes = batch
        with runtime.autocast():
            logits = classifier(images.contiguous(memory_format=torch.channels_last))
        correct = (logits.argmax(1) == classes).float().mean()
        return {"total": functional.cross_entropy(logits.float(), classes), "accuracy": correct}

    plan = Plan("pretrain", steps, steps, _POWER, pretrain.seed)
    files = TrainingFiles(weights.with_suffix(".classifier"), history, digest)
    samples = _Pictures(pretrain, backbone.statistics)
    train_stage(classifier, samples, loss_of, pretrain.batch, optimiser, plan, files, runtime)
    done = f"{pretrain.epochs} epochs over {pretrain.images} pictures"
    if rank() > 0:
        return done
    tensors, _ = load_tensors(files.model)
    prefix = "backbone."
    save_tensors(
        weights, {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
    )
    files.model.unlink()
    return done


class _Classifier(StandsOnBackbone):
    """Linear classifier on the spatial mean."""

    def __init__(self, backbone: nn.Module, num_classes: int) -> None:
        super().__init__(backbone)
        self.classifier = nn.Linear(*widths(backbone, "conv6"), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.backbone(images)["conv6"].mean((2, 3)))


class _Pictures:
    """Generated pictures, mirrored at random.

    Drawing one takes longer than training on it. Each is drawn when it is first asked for and kept,
    as a file that all loader processes map, for the epochs that follow.
    """

    def __init__(self, settings: Pretrain, statistics: ColourStatistics) -> None:
        self.settings, self.statistics = settings, statistics
        # The file has no name and goes with the last process that maps it.
        with TemporaryFile() as file:
            shape = (settings.images, 3 * settings.size**2 + 1)
            self._drawn = np.memmap(file, np.uint8, "w+", shape=shape)

    def __len__(self) -> int:
        return self.settings.images

    def sample(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised picture (3, size, size) float32 and its class, int64."""
        kept = self._drawn[index]
        if kept[-1] == 0:
            scene = self._draw(index)
            kept[:-1] = scene.image.reshape(-1)
            kept[-1] = scene.classes[0] + 1  # last: it says that the picture is there
        picture = kept[:-1].reshape(self.settings.size, self.settings.size, 3)
        image = normalise(picture, self.statistics)
        if rng.random() < 0.5:
            image = image[:, ::-1]
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return tensor, torch.tensor(int(kept[-1]) - 1)

    def _draw(self, index: int) -> Scene:
        s = self.settings
        return draw_scene(
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
