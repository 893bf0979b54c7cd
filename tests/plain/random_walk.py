"""The random walk by dense matrices."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def plain_walk(
    cams: NDArray, affinity: Tensor, stride: int, alpha: float, beta: float, log_steps: int
) -> NDArray:
    """Dense squarings in the affinity's dtype, and pooling by loops."""
    walk = affinity**beta
    walk /= walk.sum(0)
    for _ in range(log_steps):
        walk = walk @ walk
    rows, columns = -(-cams.shape[1] // stride), -(-cams.shape[2] // stride)
    full = np.zeros((len(cams) + 1, rows * stride, columns * stride))
    full[1:, : cams.shape[1], : cams.shape[2]] = cams
    full[0, : cams.shape[1], : cams.shape[2]] = (1 - np.clip(cams.max(0), 0, None)) ** alpha
    pooled = np.zeros((len(full), rows, columns))
    for y in range(rows):
        for x in range(columns):
            square = full[:, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride]
            pooled[:, y, x] = square.mean((1, 2))
    start = torch.from_numpy(pooled.reshape(len(full), -1)).to(walk)
    return (start @ walk).numpy().reshape(pooled.shape)
