"""Where a CAM training step of the demo goes, and how near convolutions are to what the
machine can do.

    python -m benchmarks.step_profile [--threads 2] [--steps 20]

What the machine can do is what a product of large matrices reaches in the same process.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from ruamel.yaml import YAML
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import machine
from benchmarks.training_step import Step
from hfpl.jobs.runtime import set_up
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text

SIDE = 2048
GROUPS = {
    "convolutions": ("aten::convolution_backward", "aten::mkldnn_convolution"),
    "products of matrices, PCM's": ("aten::bmm", "aten::mm"),
    "batch normalisation": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
}
CONVOLUTIONS = (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    device = set_up("cpu", threads=args.threads).device
    params = validate_params(YAML(typ="safe").load(preset_text("demo")))
    cam, classes = params.cam, params.datasets["shapes"].classes
    step = Step(params, classes, cam.batch, cam.augmentation.crop, device, None)
    print(f"{machine()}\n")
    print("\n".join(lines(step, args.steps)))


def lines(step: Step, steps: int) -> list[str]:
    """Markdown: milliseconds per step, and what convolutions reach beside large matrices."""
    whole = 1e3 * median(seconds(step.whole, steps))
    parts = milliseconds(step.whole, steps)
    parts["everything else"] = whole - sum(parts.values())
    reached = convolution_flops(step.whole) / parts["convolutions"] / 1e6
    most = matrix_gigaflops()
    return [
        "| part of a step | ms | share |",
        "|---|---:|---:|",
        *(f"| {name} | {ms:.1f} | {ms / whole:.0%} |" for name, ms in parts.items()),
        f"| whole | {whole:.1f} | 100% |",
        "",
        f"Convolutions reach {reached:.0f} GFLOP/s, products of matrices {SIDE}x{SIDE} "
        f"{most:.0f} GFLOP/s: {reached / most:.0%}.",
    ]


def seconds(call: Callable[[], object], count: int) -> list[float]:
    """Of each call, after three that warm up."""
    found = []
    for _ in range(count + 3):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found[3:]


def milliseconds(call: Callable[[], object], count: int) -> dict[str, float]:
    """Of the groups of operators in a call, by torch's profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as run:
        for _ in range(count):
            call()
    own = {event.key: event.self_cpu_time_total / 1e3 / count for event in run.key_averages()}
    return {group: sum(own.get(name, 0.0) for name in names) for group, names in GROUPS.items()}


def convolution_flops(call: Callable[[], object]) -> int:
    """Floating-point operations of a call's convolutions, a multiplication and an addition two."""
    with FlopCounterMode(display=False) as counter:
        call()
    counts = counter.get_flop_counts()["Global"]
    return sum(counts.get(operator, 0) for operator in CONVOLUTIONS)


def matrix_gigaflops() -> float:
    """What a product of two large matrices reaches."""
    one, other = torch.randn(2, SIDE, SIDE)
    return 2 * SIDE**3 / median(seconds(lambda: one @ other, 10)) / 1e9


if __name__ == "__main__":
    main()
