"""Learning rates of the published trainings."""

from collections.abc import Iterator

import numpy as np

from hfpl.training.optimiser import poly_factor
from scripts.parity.arrays import Arrays
from scripts.parity.comparison import Comparison, close
from scripts.parity.settings import published

TOLERANCE = 1e-9


def schedules(arrays: Arrays) -> Iterator[Comparison]:
    """Learning rates of the pre-trained weights at given steps."""
    segment, cam = published().segment, published().cam
    # One more than the iterations: see the training of the segmentation network.
    cases = (
        ("segmentation", "segmentation_iteration", segment.iterations + 1, segment.optimiser),
        ("cam", "cam_step", int(arrays["cam_max_step"]), cam.optimiser),
    )
    for name, steps, end, optimiser in cases:
        rates = [optimiser.lr * poly_factor(int(s), end, optimiser.power) for s in arrays[steps]]
        yield close(f"{name} learning rates", np.array(rates), arrays[f"{name}_lr"], TOLERANCE)
