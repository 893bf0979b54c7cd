"""Pixel-to-prototype contrast [PPC]; docs/method.md, 7.3.

All functions take the positions of a whole batch in one row: P = N * h * w positions, D features,
C channels with background in channel 0. Where several processes share the batch, each has the
positions of its own part.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hfpl.distributed.batch import all_gather

TEMPERATURE = 0.1
PROTOTYPE_SHARE = 8
"""A prototype is made of the positions with the highest 1/8 of its class's scores."""
NEAREST, FARTHEST, CHANNELS = 3, 13, 21
"""Semi-hard: of 21 prototypes by similarity, those after the third up to the thirteenth."""


class Compared(NamedTuple):
    """What the contrast takes of a view.

    Shapes:
        features: unit vectors (P, D).
        prototypes: unit vectors (C, D), without gradient.
        labels: pseudo-labels, int64 (P,).
    """

    features: Tensor
    prototypes: Tensor
    labels: Tensor


def contrasts(one: Compared, two: Compared) -> dict[str, Tensor]:
    """The three terms by name, each the mean of both views, before their weight."""
    pairs = ((one, two), (two, one))
    found = {
        "cross_prototype": [contrast(a.features, b.prototypes, a.labels) for a, b in pairs],
        "cross_label": [contrast(a.features, a.prototypes, b.labels) for a, b in pairs],
        "intra": [intra_view_contrast(*view) for view in (one, two)],
    }
    return {name: (first + second) / 2 for name, (first, second) in found.items()}


@torch.no_grad()
def class_scores(refined: Tensor, background: float) -> Tensor:
    """Scores of the classes from refined maps, both (N, C, h, w).

    ReLU; values below (min + 1e-5) to 0; (v - min - 1e-5) / (max - min + 1e-5); the background has
    the same score everywhere.
    """
    positive = functional.relu(refined)
    low, high = (v[..., None] for v in positive.flatten(2).aminmax(dim=2, keepdim=True))
    positive = positive.masked_fill(positive < low + 1e-5, 0)
    scores = (positive - low - 1e-5) / (high - low + 1e-5)
    scores[:, 0] = background
    return scores


def pseudo_labels(scores: Tensor, labels: Tensor) -> Tensor:
    """Best channel at every position, int64 (P,), of scores (N, C, h, w) and labels (N, K).

    The published code takes their softmax first, which keeps the order.
    """
    present = functional.pad(labels, (1, 0), value=1.0)[:, :, None, None]
    return (scores * present).argmax(1).flatten()


@torch.no_grad()
def prototypes(features: Tensor, scores: Tensor) -> Tensor:
    """A unit vector per channel, (C, D): mean of the features where its scores are highest.

    Of all the batch's positions those with the highest 1/8 of the channel's scores, weighted by
    these. Where scores tie with the last of them, all that tie count: the background's are equal
    everywhere.

    Args:
        features: (P, D).
        scores: (N, C, h, w).
    """
    features, scores = all_gather(features), all_gather(scores)
    rows = scores.transpose(0, 1).flatten(1)
    count = max(1, rows.shape[1] // PROTOTYPE_SHARE)
    last = rows.topk(count, dim=1).values[:, -1:]
    weights = torch.where(rows >= last, rows, 0)
    # The sum that a mean is divided by is lost in the norm, all but its sign.
    sums = weights.sum(1, keepdim=True).sign() * (weights @ features)
    return functional.normalize(sums, dim=1)


def contrast(features: Tensor, means: Tensor, targets: Tensor) -> Tensor:
    """InfoNCE of every position against all prototypes, averaged.

    Args:
        features: unit vectors (P, D).
        means: prototypes, unit vectors (C, D).
        targets: int64 (P,), the prototype that a position belongs to.
    """
    return functional.cross_entropy(features @ means.T / TEMPERATURE, targets)


def intra_view_contrast(features: Tensor, means: Tensor, targets: Tensor) -> Tensor:
    """InfoNCE against semi-hard prototypes, at two halves of each class's positions.

    A half drawn at random, from torch's generator, and the hard half are averaged together, and
    then the classes that occur. A class of a single position counts as zero. As published, a
    position's own prototype may be among the semi-hard ones.

    Args:
        features, means, targets: as :func:`contrast`.
    """
    similarity = features @ means.T
    own = similarity.gather(1, targets[:, None])
    first, last = semi_hard_places(len(means))
    negatives = similarity.topk(last, dim=1).values[:, first:]
    logits = torch.cat([own, negatives], 1) / TEMPERATURE
    # The terms are means over each class's positions in the whole batch.
    losses = all_gather(torch.logsumexp(logits, 1) - logits[:, 0])
    own, targets = all_gather(own.detach()), all_gather(targets)
    present = targets.unique()
    total = losses.new_zeros(())
    for channel in present:
        places = (targets == channel).nonzero().flatten()
        chosen = halves(own[places, 0])
        if len(chosen):
            total = total + losses[places[chosen]].mean()
    return total / len(present)


def semi_hard_places(channels: int) -> tuple[int, int]:
    """Places of the semi-hard prototypes, first and after the last, scaled to C channels."""
    first = round(channels * NEAREST / CHANNELS)
    return first, max(first + 1, round(channels * FARTHEST / CHANNELS))


@torch.no_grad()
def halves(similarity: Tensor) -> Tensor:
    """A random half and the hard half of a class's positions, as indices of (L,) similarities.

    Hard are, of the 60 % least similar positions, all but the least similar ones: as many as half
    of all.
    """
    count = len(similarity)
    drawn = torch.randperm(count, device=similarity.device)[: count // 2]
    order = similarity.argsort(stable=True)[: count * 6 // 10]
    return torch.cat([drawn, order[len(order) - count // 2 :]])
