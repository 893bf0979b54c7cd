"""The add-on: ISL and FSL attached to any CAM method.

ISL takes a share of each classification term, inside that term's own weight:
(1 - lambda) * term + lambda * ISL. FSL adds a term of its own on the main view [HFPL];
docs/method.md, equation (3).
"""

import torch
from torch import Tensor

from hfpl.distributed.batch import own_part, world_size
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
from hfpl.stages.cam.params import FeatureSimilarity, Form, ImportanceSampling


def attach(
    loss: MethodLoss,
    labels: Tensor,
    statistics: ColourStatistics,
    *,
    form: Form = "none",
    isl: ImportanceSampling | None = None,
    fsl: FeatureSimilarity | None = None,
    progress: float = 1.0,
) -> dict[str, Term]:
    """Terms of a method's loss with the added losses, by name.

    Args:
        loss: what the method returned.
        labels: float32 (N, K) in {0, 1}.
        statistics: of the colours that the views' images were normalised by.
        form: of ISL. ``binomial`` is the paper's [HFPL], ``multinomial`` its predecessor's [ICAM];
            ``expected`` draws nothing: it is the mean over all positions that the binomial form
            estimates.
        isl: its settings, not needed where ``form`` is ``none``.
        fsl: settings of FSL, or None without it. Its form ``max_norm`` is the paper's [HFPL];
            ``softmax`` its predecessor's, which compares the probabilities of all channels and
            leaves out the factor 1/2 [ICAM].
        progress: share of the training that is done. Before ``isl.start``, ISL weighs nothing.
    """
    terms = dict(loss.terms)
    if form != "none":
        share = isl.weight if progress >= isl.start else 0.0
        # The paper's form draws in the main view only, its predecessor in every view. [ICAM]
        for view in loss.views if form == "multinomial" else loss.views[:1]:
            term = terms[view.term]
            terms[view.term] = Term(term.value, term.weight * (1 - share))
            sampled = _sampled(view, labels, form, isl)
            terms[f"isl_{view.term}"] = Term(sampled, term.weight * share)
    if fsl is not None:
        terms["fsl"] = Term(_similarity(loss.views[0], labels, fsl, statistics), fsl.weight)
    return terms


def total_loss(terms: dict[str, Term]) -> Tensor:
    """Weighted sum of the terms."""
    return torch.stack([term.value * term.weight for term in terms.values()]).sum()


def _sampled(view: View, labels: Tensor, form: Form, isl: ImportanceSampling) -> Tensor:
    if form == "expected":
        return expected_importance_sampling_loss(view.foreground, labels)
    scores = _all_channels(view) if form == "multinomial" else view.foreground
    whole = (world_size() * len(labels), labels.shape[1], isl.samples)
    uniform = own_part(torch.rand(whole, dtype=torch.float64, device=labels.device))
    return importance_sampling_loss(scores, labels, form=form, samples=isl.samples, uniform=uniform)


def _similarity(
    view: View, labels: Tensor, fsl: FeatureSimilarity, colours: ColourStatistics
) -> Tensor:
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
