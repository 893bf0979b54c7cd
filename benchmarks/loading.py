"""Whether one process loads images as fast as the demo's training steps take them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
from ruamel.yaml import YAML
from torch import Tensor

from hfpl.jobs.runtime import set_up
from hfpl.jobs.settings import Settings
from hfpl.params import Params
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.plugins.formats.indexing import write_index
from hfpl.plugins.formats.shapes.generate import write_shapes
from hfpl.stages.affinity.train import train_affinity
from hfpl.stages.cam.train import train_cam
from hfpl.stages.pretrain.train import pretrain_backbone
from hfpl.stages.segment.train import train_segment
from hfpl.storage.manifest import MaskRecord, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import write_shard
from hfpl.training import stage
from hfpl.training.samples import RandomSamples, load_batches

_BATCHES = 8
_UNMEASURED = 2
"""Steps before the measured ones."""


@dataclass
class Rates:
    """What a training took for its batches and for its steps; stands in for ``load_batches``."""

    batch: int = 0
    loading: float = 0.0
    steps: list[float] = field(default_factory=list)

    def __call__(
        self, samples: RandomSamples, batch: int, start: int, steps: int, *given: Any
    ) -> Iterator[list[Tensor]]:
        """Load the first batches, then give them out again and again."""
        self.batch = batch
        began = time.perf_counter()
        loaded = list(load_batches(samples, batch, start, _BATCHES, *given))
        self.loading = (time.perf_counter() - began) / len(loaded)
        for step in range(start, steps):
            began = time.perf_counter()
            yield loaded[step % _BATCHES]
            self.steps.append(time.perf_counter() - began)


def loading_table(preset: str = "demo", steps: int = 12) -> list[str]:
    """Lines of a table in Markdown, one row for each training of a preset with generated data."""
    lines = [
        "| training | one process loads, images/s | steps take, images/s | loaded per taken |",
        "|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, train in _trainings(_params(preset, steps), Path(folder)).items():
            rates = Rates()
            with mock.patch.object(stage, "load_batches", rates):
                train()
            loaded = rates.batch / rates.loading
            taken = rates.batch / median(rates.steps[_UNMEASURED:])
            lines.append(f"| {name} | {loaded:.0f} | {taken:.0f} | {loaded / taken:.1f} |")
    return lines


def _trainings(params: Params, folder: Path) -> dict[str, Callable[[], None]]:
    """All trainings, on pictures drawn for it."""
    runtime = set_up("cpu", workers=0)
    archive = folder / "shapes.zip"
    write_shapes(archive, params.datasets["shapes"])
    root = ImageRoot(archive)
    manifests = {split: [folder / f"{split}.json"] for split in ("train", "val")}
    write_index("shapes", root, {"training": "train", "val": "val"}, manifests)
    scores, labels = _write_results(root, manifests["train"], folder)

    def settings(job: str) -> Settings:
        return JOBS[job].settings(params)

    def files(name: str) -> dict[str, Any]:
        return {"history": folder / f"{name}.csv", "digest": name}

    given = {"images": archive, "manifests": manifests["train"], "weights": None}
    model = folder / "model.safetensors"
    return {
        "pretrain, drawing included": lambda: pretrain_backbone(
            settings("pretrain"), runtime, weights=folder / "backbone", **files("pretrain")
        ),
        "cam": lambda: train_cam(
            settings("cam_train"), runtime, **given, model=model, **files("cam")
        ),
        "affinity": lambda: train_affinity(
            settings("affinity"),
            runtime,
            **given,
            low=scores,
            high=scores,
            model=model,
            **files("affinity"),
        ),
        "segment": lambda: train_segment(
            settings("segment_train"),
            runtime,
            **given,
            labels=labels,
            network=model,
            **files("segment"),
        ),
    }


def _params(preset: str, steps: int) -> Params:
    """The preset's, with as many images as the steps take."""
    raw = YAML(typ="safe").load(preset_text(preset))
    largest = max(raw[name]["batch"] for name in ("cam", "affinity", "segment"))
    raw["datasets"]["shapes"].update(train=max(steps, _BATCHES) * largest, val=1)
    raw["pretrain"].update(epochs=1, images=max(steps, _BATCHES) * raw["pretrain"]["batch"])
    raw["cam"]["epochs"] = raw["affinity"]["epochs"] = 1
    raw["segment"]["iterations"] = steps
    return validate_params(raw)


def _write_results(
    root: ImageRoot, manifests: list[Path], folder: Path
) -> tuple[list[Path], list[Path]]:
    """What later trainings learn from, made of the masks: shards of scores and of label maps."""
    scores, labels = folder / "scores.zip", folder / "labels.zip"
    with write_shard(scores, counts_from=1) as of_scores, write_shard(labels) as of_labels:
        for record in read_manifests(manifests).images:
            file = f"SegmentationClass/{record.id}.png"
            mask = root.mask(MaskRecord(record.id, file, ""))
            channels = [0, *(k + 1 for k in record.tags)]
            maps = np.stack([mask == channel for channel in channels]).astype(np.float32)
            of_scores.add_scores(record.id, channels, maps)
            of_labels.add_mask(record.id, mask)
    return [scores], [labels]
