"""A training step of the SEAM network with ISL and FSL: speed, memory, and what the losses cost.

With the paper's settings, on random images with two classes each. On a GPU in float32 and under
bfloat16 autocast; on a CPU in float32, where a smaller size is wise.

    python benchmarks/training_step.py [--preset voc2012] [--batch 8] [--size 448] [--steps 10]
"""

import argparse
import resource
import time
from collections.abc import Callable

import torch
from ruamel.yaml import YAML
from torch import Tensor

from hfpl.images.normalise import IMAGENET
from hfpl.jobs.runtime import set_up
from hfpl.losses import (
    class_activations,
    feature_image,
    feature_similarity_loss,
    importance_sampling_loss,
)
from hfpl.networks.interface import freeze
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.params.root import Params
from hfpl.plugins.backbones import build_backbone
from hfpl.plugins.methods import build_method
from hfpl.plugins.methods.interface import View
from hfpl.stages.cam.addon import attach, total_loss
from hfpl.training.optimiser import make_optimiser

_PRESENT = 2
_CLASSES = {"voc2012": 20, "coco2014": 80}


def main() -> None:
    """Print a row for each number format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=_CLASSES, default="voc2012")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    params = validate_params(YAML(typ="safe").load(preset_text(args.preset)))
    device = set_up(args.device).device
    formats = {"float32": None}
    if device.type == "cuda":
        formats["bfloat16 autocast"] = torch.bfloat16
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{params.network.backbone}, {where}, {torch.get_num_threads()} threads, batch "
        f"{args.batch}, {args.size}x{args.size} pixels, median of {args.steps} steps\n"
    )
    print("| numbers | images/s | s per step | peak memory, GB | ISL, % of step | FSL, % of step |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, dtype in formats.items():
        step = Step(params, _CLASSES[args.preset], args.batch, args.size, device, dtype)
        whole = median_seconds(step.whole, args.steps, device)
        memory = peak_gigabytes(device)
        isl = median_seconds(step.isl_alone, args.steps, device)
        fsl = median_seconds(step.fsl_alone, args.steps, device)
        print(
            f"| {name} | {args.batch / whole:.2f} | {whole:.3f} | {memory:.1f} "
            f"| {100 * isl / whole:.2f} | {100 * fsl / whole:.2f} |"
        )


class Step:
    """A training step, and its added losses alone on logits of the same shape."""

    def __init__(
        self,
        params: Params,
        num_classes: int,
        batch: int,
        size: int,
        device: torch.device,
        dtype: torch.dtype | None,
    ) -> None:
        cam, variant = params.cam, params.variants[params.variant]
        self.device, self.dtype = device, dtype
        self.isl, self.fsl, self.form = cam.isl, cam.fsl, variant.isl
        torch.manual_seed(0)
        backbone = build_backbone(params.network.backbone, params.network.options)
        freeze(backbone, "cam")  # as after its weights were loaded
        options = cam.methods.get(variant.method, {})
        self.network = build_method(variant.method, backbone, num_classes, options)
        self.network.to(device, memory_format=torch.channels_last).train()
        self.optimiser = make_optimiser(self.network, cam.optimiser)
        images = torch.randn(batch, 3, size, size, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last)
        present = torch.rand(batch, num_classes).argsort(1)[:, :_PRESENT]
        self.labels = torch.zeros(batch, num_classes).scatter_(1, present, 1).to(device)
        with torch.no_grad(), self._autocast():
            self.view: View = self.network.losses(self.images, self.labels, 0.0).views[0]

    def whole(self) -> None:
        """Forward, all losses, backward, update."""
        with self._autocast():
            loss = self.network.losses(self.images, self.labels, 0.0)
        total = total_loss(
            attach(loss, self.labels, IMAGENET, form=self.form, isl=self.isl, fsl=self.fsl)
        )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()

    def isl_alone(self) -> None:
        """ISL forward and backward."""
        scores = self._logits()
        importance_sampling_loss(scores, self.labels, samples=self.isl.samples).backward()

    def fsl_alone(self) -> None:
        """FSL forward and backward, its activations and feature image included."""
        scores = self._logits()
        image = feature_image(self.view.image, scores.shape[2:], IMAGENET.mean, IMAGENET.std)
        activations = class_activations(scores, self.labels)
        feature_similarity_loss(
            image, activations, mu=self.fsl.mu, sigma=self.fsl.sigma, repel=self.fsl.repel
        ).backward()

    def _logits(self) -> Tensor:
        return self.view.foreground.detach().clone().requires_grad_()

    def _autocast(self) -> torch.autocast:
        enabled = self.dtype is not None
        return torch.autocast(self.device.type, self.dtype or torch.bfloat16, enabled=enabled)


def median_seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Median over steps after three unmeasured ones, each waited for."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for number in range(steps + 3):
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= 3:
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def peak_gigabytes(device: torch.device) -> float:
    """Of the GPU since the last measurement began, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
