"""The random walk against squarings of the dense matrix."""

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_close
from hfpl.stages.affinity.pairs import pair_affinity, pair_indices
from hfpl.stages.walk.random_walk import (
    affinity_matrix,
    padded_size,
    random_walk,
    transition_matrix,
)
from tests.plain.random_walk import plain_walk

STRIDE, RADIUS, ALPHA, BETA, LOG_STEPS = 8, 5, 6.0, 8.0, 6


def _inputs(height: int, width: int, channels: int) -> tuple:
    """CAMs of two classes, the affinities of pairs, and the size of the feature map."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (side // STRIDE for side in padded_size((height, width), STRIDE))
    features = 0.3 * torch.randn(1, channels, rows, columns, generator=generator)
    affinity = pair_affinity(features, RADIUS)[0].numpy()
    cams = np.random.default_rng(0).random((2, height, width), dtype=np.float32)
    return cams, affinity, rows, columns


def _prepare(small: bool) -> tuple:
    return _inputs(*((72, 80) if small else (375, 500)), 448)


def _prepare_photograph(small: bool) -> tuple:
    return _inputs(*((72, 80) if small else (2000, 3000)), 16)


def _plain(cams: NDArray, affinity: NDArray, rows: int, columns: int) -> NDArray:
    start, ends = pair_indices(rows, columns, RADIUS)
    matrix = torch.eye(rows * columns)
    values = torch.from_numpy(affinity)
    start = torch.from_numpy(np.broadcast_to(start, ends.shape).copy())
    matrix[start, torch.from_numpy(ends)] = values
    matrix[torch.from_numpy(ends), start] = values
    return plain_walk(cams, matrix, STRIDE, ALPHA, BETA, LOG_STEPS)


def _fast(cams: NDArray, affinity: NDArray, rows: int, columns: int) -> NDArray:
    transition = transition_matrix(affinity_matrix(affinity, rows, columns, RADIUS), BETA)
    return random_walk(cams, transition, stride=STRIDE, alpha=ALPHA, log_steps=LOG_STEPS)


COMPARISONS = (
    Comparison(
        "random walk, 500x375",
        "six squarings of the dense matrix",
        _prepare,
        _plain,
        _fast,
        assert_close,
        faster=100,
    ),
    Comparison(
        "random walk, 3000x2000",
        "cannot run: the dense matrix alone would take 35 GB",
        _prepare_photograph,
        None,
        _fast,
        assert_close,
    ),
)
