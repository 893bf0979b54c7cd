"""The trainings of a run on a folder of photographs, one after the other, with what they score.

The CRF is left out: it runs on the CPU, and its package has to be compiled. AffinityNet learns from
the CAMs themselves.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hfpl.numerics import Runtime
from hfpl.params.root import Params
from hfpl.pipeline import JOBS
from hfpl.plugins.formats import build_format
from hfpl.plugins.refiners.interface import Refiner
from hfpl.stages.affinity.train import train_affinity
from hfpl.stages.cam.calibrate import Cams, calibrate_cams
from hfpl.stages.cam.infer import infer_cams
from hfpl.stages.cam.train import train_cam
from hfpl.stages.evaluate.cams import cam_curve
from hfpl.stages.evaluate.score import ScoredSplit, read_split, score_predictions
from hfpl.stages.pseudo.refine import refine_images
from hfpl.stages.segment.test import class_probabilities, load_deeplab
from hfpl.stages.segment.train import train_segment
from hfpl.stages.walk.label import label_shard
from hfpl.storage.manifest import SPLITS, read_manifests
from hfpl.storage.reading import ImageRoot
from hfpl.storage.shards import Shards


def train_all(params: Params, root: Path, work: Path, runtime: Runtime) -> dict[str, Any]:
    """Run every stage of a variant; seconds per stage, and scores of val in percent.

    Args:
        params: whose data set is of the format ``folder``, with one shard per split.
        root: the folder of photographs.
        work: empty folder for everything that is made.
    """
    run = _Run(params, root, work, runtime)
    stages: dict[str, Callable[[], Any]] = {
        "data": run.index,
        "cam train": run.train_cams,
        "cam infer": run.infer,
        "cam calibrate": run.calibrate,
        "pseudo, without CRF": run.pseudo,
        "affinity": run.affinity,
        "walk": run.walk,
        "segment train": run.segment,
    }
    seconds = {}
    for name, stage in stages.items():
        began = time.perf_counter()
        stage()
        seconds[name] = time.perf_counter() - began
    return {
        "photographs": run.counts(),
        "seconds": seconds,
        "scores of val": run.scores(),
    }


class _Unrefined(Refiner):
    def refine(
        self, image: NDArray[np.uint8], scores: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """The scores as they are."""
        return list(scores)


class _Run:
    def __init__(self, params: Params, root: Path, work: Path, runtime: Runtime) -> None:
        self.params, self.root, self.work, self.runtime = params, root, work, runtime
        self.manifests = {split: [work / f"{split}-0.json"] for split in SPLITS}
        self.masks = {split: [work / f"{split}-0.masks.json"] for split in SPLITS}

    def _settings(self, job: str) -> Any:
        return JOBS[job].settings(self.params)

    def _file(self, name: str) -> Path:
        return self.work / name

    def index(self) -> None:
        chosen = build_format(self.params.chosen_dataset)
        chosen.index("photographs", self.root, self.manifests)
        chosen.masks(self.root, self.manifests, self.masks)

    def counts(self) -> dict[str, int]:
        return {split: len(read_manifests(files).images) for split, files in self.manifests.items()}

    def train_cams(self) -> None:
        train_cam(
            self._settings("cam_train"), self.runtime, images=self.root,
            manifests=self.manifests["train"], weights=None, model=self._file("cam.safetensors"),
            history=self._file("cam.csv"), digest="",
        )  # fmt: skip

    def infer(self) -> None:
        for split in SPLITS:
            infer_cams(
                self._settings("cam_infer"), self.runtime, images=self.root,
                manifest=self.manifests[split][0], model=self._file("cam.safetensors"),
                cams=self._file(f"{split}.cams.zip"),
            )  # fmt: skip

    def calibrate(self) -> None:
        calibrate_cams(
            self._settings("cam_calibrate"), images=self.root, manifests=self.manifests["train"],
            cams=[self._file("train.cams.zip")], calibration=self._file("calibration.json"),
        )  # fmt: skip

    def pseudo(self) -> None:
        records, pseudo = read_manifests(self.manifests["train"]).images, self.params.pseudo
        source = Cams([self._file("train.cams.zip")], self._file("calibration.json"))
        alphas = {
            self._file("low.zip"): pseudo.alpha_low,
            self._file("high.zip"): pseudo.alpha_high,
        }
        root, refiner = ImageRoot(self.root), _Unrefined()
        refine_images("pseudo", records, root, source, alphas, refiner, 1.0)

    def affinity(self) -> None:
        train_affinity(
            self._settings("affinity"), self.runtime, images=self.root,
            manifests=self.manifests["train"], low=[self._file("low.zip")],
            high=[self._file("high.zip")], weights=None, model=self._file("affinity.safetensors"),
            history=self._file("affinity.csv"), digest="",
        )  # fmt: skip

    def walk(self) -> None:
        for split in SPLITS:
            label_shard(
                self._settings("walk"), self.runtime, images=self.root,
                manifest=self.manifests[split][0], cams=self._file(f"{split}.cams.zip"),
                calibration=self._file("calibration.json"),
                model=self._file("affinity.safetensors"), labels=self._file(f"{split}.walk.zip"),
            )  # fmt: skip

    def segment(self) -> None:
        train_segment(
            self._settings("segment_train"), self.runtime, images=self.root,
            manifests=self.manifests["train"], labels=[self._file("train.walk.zip")], weights=None,
            network=self._file("segment.safetensors"), history=self._file("segment.csv"), digest="",
        )  # fmt: skip

    def scores(self) -> dict[str, dict[str, float]]:
        """Per stage mIoU and contour F of val; of the CAMs, at the best threshold."""
        split = read_split(self.manifests["val"], self.masks["val"], ImageRoot(self.root))
        if not split.images:
            return {}
        cams = Cams([self._file("val.cams.zip")], None)
        walked = Shards([self._file("val.walk.zip")])
        settings = self._settings("segment_test")
        network = load_deeplab(
            settings, split.num_classes - 1, self._file("segment.safetensors"), self.runtime
        )
        images, scales = ImageRoot(self.root), settings.segment.test.scales

        def segmented(record: Any) -> np.ndarray:
            pixels = np.asarray(images.image(record))
            scores = class_probabilities(network, pixels, scales, self.runtime)
            return scores.argmax(0).astype(np.uint8)

        return {
            "cam, best threshold": {"miou": 100 * float(cam_curve(split, cams).max())},
            "walk": _scores(split, lambda record: walked.mask(record.id)),
            "segment": _scores(split, segmented),
        }


def _scores(split: ScoredSplit, predict: Callable[[Any], np.ndarray]) -> dict[str, float]:
    found = score_predictions(split, predict, ["miou", "contour_f"])
    return {name: found[name] for name in ("miou", "contour_f")}
