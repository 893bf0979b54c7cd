"""Rows of runs that were never run."""

from collections.abc import Callable
from typing import Any

import pytest

VARIANTS = {
    "cam": ("cam", "none", False),
    "cam-isl": ("cam", "binomial", False),
    "cam-isl-fsl": ("cam", "binomial", True),
    "seam": ("seam", "none", False),
    "seam-multinomial": ("seam", "multinomial", False),
}
CHOSEN = ("fixed beforehand", "best against ground truth")


def make_row(
    variant: str,
    seed: int,
    scores: dict[str, tuple[float, float]],
    device: str = "CPU x86_64",
    **changes: str,
) -> dict[str, Any]:
    """``scores``: split → mIoU and contour F at the fixed threshold; 2 more at the best one."""
    method, isl, fsl = VARIANTS[variant]
    found = [
        {
            "split": split,
            "stage": "cam",
            "post_processing": "none",
            "threshold": 0.25 + 0.01 * place * (seed + 1),
            "threshold_chosen": CHOSEN[place],
            "images": 100,
            "miou": miou + 2 * place,
            "contour_f": contour + 2 * place,
            "counts": None,
        }
        for split, (miou, contour) in scores.items()
        for place in (0, 1)
    ]
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return {
        "dataset": "shapes",
        "run": "".join([variant, *(f"@{k}={v}" for k, v in changed.items()), f"@seed={seed}"]),
        "variant": variant,
        "method": method,
        "isl": isl,
        "fsl": fsl,
        "changes": changed,
        "values": {"cam.fsl.mu": 2.0} if fsl else {},
        "seed": seed,
        "key": "0" * 16,
        "commit": "",
        "device": device,
        "cores": 2,
        "seconds": 100.0,
        "scores": found,
    }


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, Any]]:
    """Make the row of a run."""
    return make_row
