"""Single jobs on pictures of one size: their time per image and their memory, on one thread."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from ruamel.yaml import YAML
from torch import nn

import hfpl.stages.cam.infer
import hfpl.stages.pseudo.refine
import hfpl.stages.segment.test
import hfpl.stages.walk.label
import hfpl.training.stage
from benchmarks.measure import in_new_process, reset_peak, resident
from hfpl.jobs.runtime import set_up
from hfpl.networks.affinity import AffinityNetwork
from hfpl.numerics import Runtime
from hfpl.params import Params
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS as PIPELINE
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.formats.layout import VOC_CLASSES
from hfpl.plugins.methods import build_method
from hfpl.stages.affinity.train import train_affinity
from hfpl.stages.cam.train import train_cam
from hfpl.stages.evaluate.cams import evaluate_cams
from hfpl.stages.evaluate.masks import evaluate_masks
from hfpl.stages.segment.train import build_deeplab, train_segment
from hfpl.storage.tensors import save_network
from hfpl.training.samples import load_batches
from hfpl.training.stage import TrainingFiles
from studies.scale.pictures import Pictures

STEPS = 3
"""Of a training."""


@dataclass(frozen=True)
class Cost:
    """What a job takes.

    Attributes:
        cpu: seconds on one core per image, reading included; of several images or steps the first,
            in which a process warms up, is left out.
        megabytes: at the peak, above what Python and its libraries took before.
    """

    cpu: float
    megabytes: float


def job_cost(job: str, preset: str, side: int, images: int) -> Cost:
    """Cost of a job, with random weights.

    Args:
        job: of :data:`JOBS`.
        preset: whose parameters hold; a training's crop is the pictures' side.
        images: of a training's batch; of another job, pictures.
    """
    return in_new_process(_measure, job, preset, side, images)


def _measure(job: str, preset: str, side: int, images: int) -> Cost:
    params = job_params(preset, side, images)
    runtime = set_up("cpu", 1, 0)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Pictures(Path(folder), side, images)
        if job in _NETWORKS:
            save_network(pictures.folder / "model", _NETWORKS[job](params))
        before = reset_peak() or 0
        per_image = JOBS[job](params, pictures, runtime)
        return Cost(per_image, ((resident("VmHWM") or 0) - before) / 2**20)


def job_params(preset: str, side: int, batch: int) -> Params:
    """A preset's parameters for a few steps on crops of a side."""
    settings = YAML(typ="safe").load(preset_text(preset))
    for name in TRAININGS:
        settings[name]["batch"] = batch
        settings[name]["augmentation"]["crop"] = side
    settings["cam"]["epochs"] = settings["affinity"]["epochs"] = STEPS
    settings["segment"]["iterations"] = STEPS
    return validate_params(settings)


class _Clock:
    """Seconds on the processor at every mark."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def mark(self, **_: float) -> None:
        self.marks.append(time.process_time())

    def between(self) -> float:
        """Median of the times between marks, where there are several without the first."""
        spans = [late - early for early, late in zip(self.marks, self.marks[1:], strict=False)]
        return statistics.median(spans[1:] or spans)

    @contextlib.contextmanager
    def track(self, *_: Any) -> Iterator[Callable[..., None]]:
        """Stands in for :func:`hfpl.jobs.progress.track`."""
        self.mark()
        yield self.mark

    def batches(self, *given: Any) -> Iterator[Any]:
        """Stands in for :func:`hfpl.training.samples.load_batches`."""
        for batch in load_batches(*given):
            self.mark()
            yield batch


def _of_images(module: ModuleType, run: Callable[[Params, Pictures, Runtime], object]) -> Callable:
    """Seconds per image of a job that shows its progress by images."""

    def measured(params: Params, pictures: Pictures, runtime: Runtime) -> float:
        clock = _Clock()
        with mock.patch.object(module, "track", clock.track):
            run(params, pictures, runtime)
        return clock.between()

    return measured


def _of_steps(run: Callable[[Params, Pictures, Runtime, TrainingFiles], None]) -> Callable:
    """Seconds per image of a training: loading, forward, backward and update."""

    def measured(params: Params, pictures: Pictures, runtime: Runtime) -> float:
        files = TrainingFiles(pictures.folder / "trained", pictures.folder / "history", "")
        clock = _Clock()
        with mock.patch.object(hfpl.training.stage, "load_batches", clock.batches):
            run(params, pictures, runtime, files)
        return clock.between() / params.cam.batch

    return measured


def _training(pictures: Pictures, files: TrainingFiles) -> dict[str, Any]:
    """What every training is given."""
    return {
        "images": pictures.folder,
        "manifests": [pictures.manifest],
        "weights": None,
        "history": files.history,
        "digest": files.digest,
    }


def _train_cam(params: Params, pictures: Pictures, runtime: Runtime, files: TrainingFiles) -> None:
    settings = PIPELINE["cam_train"].settings(params)
    train_cam(settings, runtime, **_training(pictures, files), model=files.model)


def _infer(params: Params, pictures: Pictures, runtime: Runtime) -> None:
    hfpl.stages.cam.infer.infer_cams(
        PIPELINE["cam_infer"].settings(params),
        runtime,
        images=pictures.folder,
        manifest=pictures.manifest,
        model=pictures.folder / "model",
        cams=pictures.folder / "out",
    )


def _refine(params: Params, pictures: Pictures, _: Runtime) -> None:
    hfpl.stages.pseudo.refine.refine_shard(
        PIPELINE["pseudo"].settings(params),
        images=pictures.folder,
        manifest=pictures.manifest,
        cams=pictures.cams,
        low=pictures.folder / "low",
        high=pictures.folder / "high",
    )


def _train_affinity(
    params: Params, pictures: Pictures, runtime: Runtime, files: TrainingFiles
) -> None:
    settings, given = PIPELINE["affinity"].settings(params), _training(pictures, files)
    scores = [pictures.scores]
    train_affinity(settings, runtime, **given, low=scores, high=scores, model=files.model)


def _walk(params: Params, pictures: Pictures, runtime: Runtime) -> None:
    hfpl.stages.walk.label.label_shard(
        PIPELINE["walk"].settings(params),
        runtime,
        images=pictures.folder,
        manifest=pictures.manifest,
        cams=pictures.cams,
        model=pictures.folder / "model",
        labels=pictures.folder / "out",
    )


def _train_segment(
    params: Params, pictures: Pictures, runtime: Runtime, files: TrainingFiles
) -> None:
    settings, given = PIPELINE["segment_train"].settings(params), _training(pictures, files)
    train_segment(settings, runtime, **given, labels=[pictures.labels], network=files.model)


def _test(params: Params, pictures: Pictures, runtime: Runtime) -> None:
    hfpl.stages.segment.test.segment_shard(
        PIPELINE["segment_test"].settings(params),
        runtime,
        images=pictures.folder,
        manifest=pictures.manifest,
        masks=None,
        network=pictures.folder / "model",
        plain=pictures.folder / "plain",
        refined=pictures.folder / "refined",
    )


def _evaluate(params: Params, pictures: Pictures, _: Runtime) -> float:
    """All six evaluations of a run: of CAMs, of scores at two alphas, of three label maps."""
    nothing = pictures.folder / "nothing.json"
    nothing.write_text('{"masks": []}', encoding="utf-8")
    truth = {
        "images": pictures.folder,
        "train_manifests": [pictures.manifest],
        "train_masks": [pictures.masks],
        "val_manifests": [pictures.manifest],
        "val_masks": [nothing],
        "out": pictures.folder / "scores.json",
    }
    began = time.process_time()
    evaluate_cams(PIPELINE["evaluate_cams"].settings(params), **truth, results=[pictures.cams])
    settings = PIPELINE["evaluate_masks"].settings(params)
    for results, scored in [(pictures.scores, "pseudo-low")] * 2 + [(pictures.labels, "walk")] * 3:
        evaluate_masks(settings, **truth, results=[results], scored=scored)
    return (time.process_time() - began) / pictures.count


def _cam_network(params: Params) -> nn.Module:
    method = params.variants[params.variant].method
    backbone = build_backbone(params.network.backbone, params.network.options)
    return build_method(method, backbone, len(VOC_CLASSES), params.cam.methods.get(method, {}))


def _affinity_network(params: Params) -> nn.Module:
    backbone = build_backbone(params.network.backbone, params.network.options)
    return AffinityNetwork(backbone, tuple(params.affinity.channels))


def _deeplab(params: Params) -> nn.Module:
    backbone = build_backbone(params.network.backbone, params.network.options)
    return build_deeplab(backbone, len(VOC_CLASSES), params.segment.head)


_NETWORKS = {"cam infer": _cam_network, "walk": _affinity_network, "segment test": _deeplab}
"""Of the jobs that read a trained one."""

JOBS: dict[str, Callable[[Params, Pictures, Runtime], float]] = {
    "cam train": _of_steps(_train_cam),
    "cam infer": _of_images(hfpl.stages.cam.infer, _infer),
    "pseudo": _of_images(hfpl.stages.pseudo.refine, _refine),
    "affinity": _of_steps(_train_affinity),
    "walk": _of_images(hfpl.stages.walk.label, _walk),
    "segment train": _of_steps(_train_segment),
    "segment test": _of_images(hfpl.stages.segment.test, _test),
    "evaluate": _evaluate,
}
"""Job → its seconds per image."""
TRAININGS = {"cam": "cam train", "affinity": "affinity", "segment": "segment train"}
"""Section of the parameters → its training."""
