"""The add-on: ISL and FSL attached to any CAM method.

ISL takes a share of each classification term, inside that term's own weight:
(1 - lambda) * term + lambda * ISL. FSL adds a term of its own on the main view. [HFPL]
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from hfpl.distributed.batch import own_part, size
from hfpl.images.normalise import ColourStatistics
from hfpl.losses import (
    class_activations,
    expected_importance_sampling_loss,
    feature_image,
    feature_similarity_loss,
    importance_sampling_loss,
)
from hfpl.networks.interface import full_precision
from hfpl.plugins.methods.interface import MethodLoss, Term, View


@dataclass(frozen=True)
class Isl:
    """Importance sampling loss: form, weight lambda in [0, 1], positions per image and class, and
    the share of the training that is done before it counts (0 in the paper).

    The form ``binomial`` is the paper's [HFPL], ``multinomial`` its predecessor's [ICAM];
    ``expected`` draws nothing: it is the mean over all positions that the binomial form estimates.
    """

    form: Literal["binomial", "multinomial", "expected"]
    weight: float
    samples: int = 1
    start: float = 0.0

    def at(self, progress: float) -> "Isl":
        """These settings after a share of the training's steps: before ``start``, of weight 0."""
        return self if progress >= self.start else replace(self, weight=0.0)


@dataclass(frozen=True)
class Fsl:
    """Feature similarity loss: weight, mu, sigma in feature pixels (None: the whole map), form, and
    the factor of repelling pairs (1 in the paper).

    The form ``max_norm`` is the paper's [HFPL]; ``softmax`` its predecessor's, which compares the
    probabilities of all channels and leaves out the factor 1/2 [ICAM].
    """

    weight: float
    mu: float
    sigma: float | None
    form: Literal["max_norm", "softmax"] = "max_norm"
    repel: float = 1.0


def attach(
    loss: MethodLoss,
    labels: Tensor,
    isl: Isl | None,
    fsl: Fsl | None,
    statistics: ColourStatistics,
) -> dict[str, Term]:
    """Terms of a method's loss with the added losses, by name.

    Args:
        loss: what the method returned.
        labels: float32 (N, K) in {0, 1}.
        isl, fsl: settings, or None where a loss is off.
        statistics: of the colours that the views' images were normalised by.
    """
    terms = dict(loss.terms)
    if isl is not None:
        # The paper's form draws in the main view only, its predecessor in every view. [ICAM]
        views = loss.views if isl.form == "multinomial" else loss.views[:1]
        for view in views:
            term = terms[view.term]
            terms[view.term] = Term(term.value, term.weight * (1 - isl.weight))
            terms[f"isl_{view.term}"] = Term(_sampled(view, labels, isl), term.weight * isl.weight)
    if fsl is not None:
        terms["fsl"] = Term(_similarity(loss.views[0], labels, fsl, statistics), fsl.weight)
    return terms


def total_loss(terms: dict[str, Term]) -> Tensor:
    """Weighted sum of the terms."""
    return torch.stack([term.value * term.weight for term in terms.values()]).sum()


def _sampled(view: View, labels: Tensor, isl: Isl) -> Tensor:
    if isl.form == "expected":
        return expected_importance_sampling_loss(view.foreground, labels)
    scores = _all_channels(view) if isl.form == "multinomial" else view.foreground
    whole = (size() * len(labels), labels.shape[1], isl.samples)
    uniform = own_part(torch.rand(whole, dtype=torch.float64, device=labels.device))
    return importance_sampling_loss(
        scores, labels, form=isl.form, samples=isl.samples, uniform=uniform
    )


def _similarity(view: View, labels: Tensor, fsl: Fsl, colours: ColourStatistics) -> Tensor:
    image = feature_image(view.image, view.foreground.shape[2:], colours.mean, colours.std)
    pairs = {"mu": fsl.mu, "sigma": fsl.sigma, "repel": fsl.repel}
    if fsl.form == "softmax":
        probabilities = full_precision(_all_channels(view)).softmax(1)
        return 2 * feature_similarity_loss(image, probabilities, **pairs)
    return feature_similarity_loss(image, class_activations(view.foreground, labels), **pairs)


def _all_channels(view: View) -> Tensor:
    """Logits of background and foreground, (N, C, h, w)."""
    background = view.background
    if background is None:
        # A method without background logits: the softmax needs a channel to compare with.
        background = torch.zeros_like(view.foreground[:, :1])
    return torch.cat([background, view.foreground], 1)
