"""A CAM training step on a device: images per second, peak memory, and what each loss costs."""

from typing import Any

import torch

from benchmarks.training_step import Step, median_seconds, peak_gigabytes
from hfpl.params.root import Params


def step_rows(
    params: Params, classes: int, batch: int, size: int, steps: int, device: torch.device
) -> list[dict[str, Any]]:
    """A row per number format, of the variant ``seam-isl-fsl``.

    Args:
        classes: K.
        size: side of the crops in pixels.
        steps: that the median is of.
    """
    formats = {"float32": None, "bfloat16 autocast": torch.bfloat16}
    params = params.of_variant("seam-isl-fsl")
    return [
        {"numbers": name, **_row(Step(params, classes, batch, size, device, dtype), batch, steps)}
        for name, dtype in formats.items()
    ]


def _row(step: Step, batch: int, steps: int) -> dict[str, Any]:
    whole = median_seconds(step.whole, steps, step.device)
    memory = peak_gigabytes(step.device)
    return {
        "images per second": batch / whole,
        "seconds per step": whole,
        "peak memory, GB": memory,
        "ISL, share": median_seconds(step.isl_alone, steps, step.device) / whole,
        "FSL, share": median_seconds(step.fsl_alone, steps, step.device) / whole,
    }
