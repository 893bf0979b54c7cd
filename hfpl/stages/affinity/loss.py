"""Loss of pixel affinities against pair labels (AffinityNet [PSA])."""

import torch
from torch import Tensor

from hfpl.distributed.batch import all_gather

# Keeps the logarithms finite and the mean of an empty set 0.
EPSILON = 1e-5


def affinity_loss(affinity: Tensor, bg_pos: Tensor, fg_pos: Tensor, neg: Tensor) -> Tensor:
    """Balanced cross-entropy of affinities (docs/method.md, equation (14)).

    -1/4 E_bg[log(a + 1e-5)] - 1/4 E_fg[log(a + 1e-5)] - 1/2 E_neg[log(1 + 1e-5 - a)], where each
    mean is the sum over its pairs in the whole batch, of which each process may have a part,
    divided by (their number + 1e-5).

    Args:
        affinity: (N, P_offsets, n_from) in [0, 1].
        bg_pos, fg_pos, neg: masks of the same shape, bool or 0 and 1.

    Returns:
        Scalar, dtype of the affinity.

    Raises:
        ValueError: a mask whose shape is not that of the affinity.
    """
    for name, mask in (("bg_pos", bg_pos), ("fg_pos", fg_pos), ("neg", neg)):
        if mask.shape != affinity.shape:
            raise ValueError(
                f"{name} must be {tuple(affinity.shape)} like the affinity, got {tuple(mask.shape)}"
            )
    attract = -torch.log(affinity + EPSILON)
    repel = -torch.log(1 + EPSILON - affinity)
    background, foreground = _mean(attract, bg_pos), _mean(attract, fg_pos)
    return background / 4 + foreground / 4 + _mean(repel, neg) / 2


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    mask = mask.to(values.dtype)
    total, count = all_gather(torch.stack([(values * mask).sum(), mask.sum()])[None]).sum(0)
    return total / (count + EPSILON)
