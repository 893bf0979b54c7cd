"""What the networks of VOC and COCO cost in floating-point operations, and so in hours on GPUs.

    python -m studies.operations [--teraflops 100]

Counted, not timed: torch counts the operations of the backbone's forward pass (a multiplication and
an addition are two); a training step takes three times as many, one for the pass and two for the
gradients, and the heads are left out. Hours are operations divided by what a GPU is assumed to
sustain. The CRF, which runs on CPUs, is not among them.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from ruamel.yaml import YAML
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.params.root import Params
from hfpl.plugins.backbones import build_backbone

PASSES = 3
"""Forward passes that a training step is worth."""
GPUS = (1, 4)


@dataclass(frozen=True)
class Images:
    """Images of a data set: trained on, held out, tested, and a usual one's height and width."""

    train: int
    val: int
    tested: int
    size: tuple[int, int]


PRESETS = {
    "voc2012": Images(10_582, 1_449, 1_464 + 1_449, (375, 500)),
    "coco2014": Images(82_783, 40_504, 82_783 + 40_504, (480, 640)),
}


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--teraflops", type=float, default=100.0, help="sustained per GPU, per second"
    )
    args = parser.parse_args()
    print(f"Hours at {args.teraflops:g} TFLOP/s sustained on each GPU:\n")
    heads = [f"{name}, {n} GPU{'s' * (n > 1)}" for name in PRESETS for n in GPUS]
    print(f"| networks of | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
    costs = {name: operations(name, images) for name, images in PRESETS.items()}
    for stage in [*next(iter(costs.values())), "all"]:
        cells = []
        for cost in costs.values():
            total = sum(cost.values()) if stage == "all" else cost[stage]
            cells += [f"{total / args.teraflops / 1e12 / 3600 / n:.1f}" for n in GPUS]
        print(f"| {stage} | {' | '.join(cells)} |")


def operations(preset: str, images: Images) -> dict[str, float]:
    """Floating-point operations of all networks' jobs of a preset, by what they do."""
    params = validate_params(YAML(typ="safe").load(preset_text(preset)))
    backbone = build_backbone(params.network.backbone, params.network.options).to("meta")
    one = forward(backbone, images.size)

    def step(crop: int) -> float:
        return PASSES * forward(backbone, (crop, crop))

    cam, affinity, segment = params.cam, params.affinity, params.segment
    both_views = 1 + view_scale(params) ** 2
    return {
        "cam, training": cam.epochs * images.train * both_views * step(cam.augmentation.crop),
        "cam, inference": (images.train + images.val) * one * views(cam.inference.scales),
        "affinity, training": affinity.epochs * images.train * step(affinity.augmentation.crop),
        "walk": (images.train + images.val) * one,
        "segment, training": segment.iterations * segment.batch * step(segment.augmentation.crop),
        "segment, test": images.tested * one * views(segment.test.scales),
    }


def forward(backbone: nn.Module, size: tuple[int, int]) -> int:
    """Operations of a forward pass of one image; nothing is computed."""
    with FlopCounterMode(display=False) as counter:
        backbone(torch.empty(1, 3, *size, device="meta"))
    return counter.get_total_flops()


def views(scales: Sequence[float]) -> float:
    """Pixels of all scales, plain and mirrored, as multiples of the image's."""
    return 2 * sum(scale**2 for scale in scales)


def view_scale(params: Params) -> float:
    """SEAM's second view, as a share of the first's side."""
    return params.cam.methods["seam"]["view_scale"]


if __name__ == "__main__":
    main()
