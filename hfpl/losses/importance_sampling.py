"""Importance sampling loss (ISL).

Image-level labels supervise positions that are drawn from the network's own scores, instead of
the spatial mean of the scores. Sources: Jonnarth, Zhang, Felsberg, "High-fidelity Pseudo-labels
for Boosting Weakly-Supervised Segmentation", WACV 2024 (the binomial form) [HFPL]; Jonnarth,
Felsberg, arXiv 2203.12459 (the multinomial form) [ICAM]; docs/method.md, 1.4.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Form = Literal["binomial", "multinomial"]

# Added to the probabilities of the binomial draw, so that every position can be drawn.
DRAW_EPSILON = 1e-5
# Keeps the logit of a drawn softmax probability finite (multinomial form).
LOGIT_EPSILON = 1e-3


def draw_positions(
    scores: Tensor,
    *,
    form: Form = "binomial",
    samples: int = 10,
    generator: torch.Generator | None = None,
    uniform: Tensor | None = None,
) -> Tensor:
    """Draw positions per image and foreground class, with replacement.

    Binomial: probability proportional to ``sigmoid(scores) + 1e-5`` over the positions.
    Multinomial: proportional to the channel's softmax probability over the positions. The draw
    inverts the cumulative distribution in float64 and never waits for the device. Where a class
    has NaN among its probabilities, the first of these is drawn, so that a loss shows it.

    Shape:
        scores: float (N, K, h, w), foreground logits (binomial), or (N, C, h, w) with C = K + 1
            and the background in channel 0 (multinomial).
        uniform: float64 (N, K, samples) in [0, 1), used in place of numbers from the generator.
        returns: int64 (N, K, samples), flat positions ``y * w + x`` in [0, h * w).

    ``generator`` must live on the device of ``scores``; a given generator state gives the same
    positions every time.

    Raises:
        ValueError: unknown form, samples < 1, or scores of a wrong shape.
    """
    _check_scores(scores, form)
    _check_samples(samples)
    with torch.no_grad():
        cumulative = _position_weights(scores, form).flatten(2).double().cumsum(2)
        total = cumulative[..., -1:]
        if uniform is None:
            uniform = torch.rand(
                (*cumulative.shape[:2], samples),
                generator=generator,
                device=scores.device,
                dtype=torch.float64,
            )
        positions = torch.searchsorted(cumulative, uniform * total, right=True)
        # Rounding of uniform * total up to total would point one past the end.
        positions = positions.clamp_(max=cumulative.shape[2] - 1)
        first_nan = cumulative.isfinite().sum(2, keepdim=True)
        return torch.where(total.isnan(), first_nan, positions)


def importance_sampling_loss(
    scores: Tensor,
    labels: Tensor,
    *,
    form: Form = "binomial",
    samples: int = 10,
    generator: torch.Generator | None = None,
    uniform: Tensor | None = None,
    positions: Tensor | None = None,
) -> Tensor:
    """Mean binary cross-entropy at drawn positions, over images, foreground classes and draws.

    Absent classes are drawn like present ones. Binomial: cross-entropy of the drawn logits.
    Multinomial: the drawn softmax probability p is first turned into the logit
    ``ln(p (1 - e) + e) - ln(1 - p (1 - e))`` with e = 1e-3. The gradient flows through the drawn
    values, not through the draw. The maths is done in float32 or wider, also under autocast. An
    infinite logit costs nothing where it is right, else the loss is infinite; the softmax of an
    infinite score is NaN, and NaN among a class's scores makes the loss NaN.

    Shape:
        scores: float (N, K, h, w), foreground logits (binomial), or (N, C, h, w) with C = K + 1
            and the background in channel 0 (multinomial).
        labels: (N, K), any real or bool dtype, values in [0, 1], without the background.
        uniform: as :func:`draw_positions`.
        positions: int64 (N, K, M) flat positions in [0, h * w), used in place of a draw; M takes
            the place of ``samples``.
        returns: scalar, float32 (float64 for float64 scores), >= 0.

    Raises:
        ValueError: unknown form, samples < 1, wrong shapes, or positions out of range (checking
            given positions waits for the device, drawing does not).
    """
    _check_scores(scores, form)
    _check_labels(labels, scores, form)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if positions is None:
        positions = draw_positions(
            scores, form=form, samples=samples, generator=generator, uniform=uniform
        )
    else:
        _check_positions(positions, labels, scores)
    if form == "multinomial":
        drawn = scores.softmax(1)[:, 1:].flatten(2).gather(2, positions)
        shrunk = drawn * (1 - LOGIT_EPSILON)
        logits = torch.log(shrunk + LOGIT_EPSILON) - torch.log1p(-shrunk)
    else:
        logits = scores.flatten(2).gather(2, positions)
    return _cross_entropy(logits, labels).mean()


def expected_importance_sampling_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Expectation of the binomial loss over the draw, with the draw's distribution held fixed.

    Mean over images and classes of ``sum_i q_i BCE(s_i, t)`` with
    ``q = (sigmoid(s) + 1e-5) / sum``; no gradient flows through q, so that the gradient is the
    expectation of the sampled loss's gradient too. Source: docs/method.md, equation (6).

    Shape:
        scores: float (N, K, h, w), foreground logits.
        labels: (N, K), any real or bool dtype, values in [0, 1].
        returns: scalar, float32 (float64 for float64 scores), >= 0.

    Raises:
        ValueError: wrong shapes.
    """
    _check_scores(scores, "binomial")
    _check_labels(labels, scores, "binomial")
    logits = scores.to(torch.promote_types(scores.dtype, torch.float32)).flatten(2)
    weights = _position_weights(logits.detach(), "binomial")
    return ((weights * _cross_entropy(logits, labels)).sum(2) / weights.sum(2)).mean()


def _position_weights(scores: Tensor, form: Form) -> Tensor:
    """Unnormalised probability of each position, per foreground class."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if form == "binomial":
        return scores.sigmoid() + DRAW_EPSILON
    # Relative to the channel's largest value, because the softmax of a channel that is far below
    # the others underflows to zero at every position.
    log_probability = scores.log_softmax(1)[:, 1:]
    # NaN stays where it is, and a channel of zeros alone keeps its zeros.
    lowest = torch.finfo(scores.dtype).min
    largest = log_probability.nan_to_num(nan=lowest, neginf=lowest).amax((2, 3), keepdim=True)
    return torch.exp(log_probability - largest)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of logits (N, K, M) against labels (N, K), for each logit.

    torch's own is NaN at infinite logits, also at those that are right.
    """
    targets = labels.to(logits).unsqueeze(2)
    present = torch.where(targets > 0, -targets * F.logsigmoid(logits), 0)
    absent = torch.where(targets < 1, (targets - 1) * F.logsigmoid(-logits), 0)
    return present + absent


def _check_form(form: str) -> None:
    if form not in get_args(Form):
        raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got {form!r}")


def _check_samples(samples: int) -> None:
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")


def _check_scores(scores: Tensor, form: str) -> None:
    _check_form(form)
    channels = 2 if form == "multinomial" else 1
    if scores.ndim != 4 or scores.shape[1] < channels or 0 in scores.shape:
        raise ValueError(
            f"scores of the {form} form must be N x C x h x w with C >= {channels} and no empty "
            f"dimension, got {tuple(scores.shape)}"
        )
    if not scores.is_floating_point():
        raise ValueError(f"scores must be floating point, got {scores.dtype}")


def _check_labels(labels: Tensor, scores: Tensor, form: str) -> None:
    classes = scores.shape[1] - (form == "multinomial")
    if labels.shape != (scores.shape[0], classes):
        raise ValueError(
            f"labels must be {scores.shape[0]} x {classes} (images x foreground classes), "
            f"got {tuple(labels.shape)}"
        )


def _check_positions(positions: Tensor, labels: Tensor, scores: Tensor) -> None:
    if positions.dtype != torch.int64:
        raise ValueError(f"positions must be int64, got {positions.dtype}")
    if positions.ndim != 3 or positions.shape[:2] != labels.shape or positions.shape[2] < 1:
        raise ValueError(
            f"positions must be {labels.shape[0]} x {labels.shape[1]} x draws, "
            f"got {tuple(positions.shape)}"
        )
    size = scores.shape[2] * scores.shape[3]
    low, high = (int(value) for value in torch.aminmax(positions))
    if low < 0 or high >= size:
        raise ValueError(f"positions must lie in [0, {size}), got values from {low} to {high}")
