"""Losses and their gradients: FSL, SEAM's terms, AffinityNet's."""

from collections.abc import Iterator

import numpy as np
import torch

from hfpl.images.normalise import IMAGENET
from hfpl.losses import feature_similarity_loss
from hfpl.plugins.methods.interface import MethodLoss, View
from hfpl.plugins.methods.seam import SeamMaps, compare_views, compared_channels
from hfpl.plugins.methods.seam.losses import select_channels
from hfpl.stages.affinity.labels import pair_labels
from hfpl.stages.affinity.loss import affinity_loss
from hfpl.stages.cam.addon import attach, total_loss
from scripts.parity.arrays import Arrays
from scripts.parity.comparison import Comparison, close
from scripts.parity.settings import published

TERMS = {
    "cls_1": "loss_cls_gap1",
    "cls_2": "loss_cls_gap2",
    "rvmin_1": "loss_rvmin1",
    "rvmin_2": "loss_rvmin2",
    "er": "loss_er",
    "ecr": "loss_ecr",
    "fsl": "loss_fsl",
}
"""Our names of SEAM's terms, and the reference's."""


def feature_similarity(arrays: Arrays) -> Iterator[Comparison]:
    """FSL of given images and activations, and its gradient."""
    for case in range(int(arrays["n_cases"])):
        activations = torch.from_numpy(arrays[f"y{case}"]).requires_grad_()
        sigma = float(arrays[f"sigma{case}"])
        loss = feature_similarity_loss(
            torch.from_numpy(arrays[f"x{case}"]),
            activations,
            mu=float(arrays[f"mu{case}"]),
            sigma=None if np.isnan(sigma) else sigma,
        )
        loss.backward()
        yield close(f"case {case}: loss", loss.item(), arrays[f"loss{case}"])
        yield close(f"case {case}: gradient", activations.grad, arrays[f"grad_y{case}"])


def seam_losses(arrays: Arrays) -> Iterator[Comparison]:
    """Every term of SEAM's loss but ISL, their total, and its gradient to every map."""
    names = ("cam1", "cam_rv1", "cam2", "cam_rv2", "logits1")
    maps = {name: torch.from_numpy(arrays[name]).requires_grad_() for name in names}
    labels = torch.from_numpy(arrays["labels"])
    image = torch.from_numpy(arrays["image"])
    channels = compared_channels(labels)
    # Maps that have their images' size already are not enlarged.
    one, two = (
        SeamMaps(maps[f"cam{v}"], select_channels(maps[f"cam_rv{v}"], channels), torch.empty(0))
        for v in (1, 2)
    )
    # Of view 2's image the loss takes the size alone.
    small = torch.empty(len(image), 3, *maps["cam2"].shape[2:])
    loss = compare_views(image, one, small, two, labels)
    # FSL compares the logits, which are no enlarged maps.
    view = View("cls_1", image, maps["logits1"][:, 1:], maps["logits1"][:, :1])
    loss = MethodLoss(loss.terms, (view, *loss.views[1:]))
    terms = attach(loss, labels, IMAGENET, fsl=published().cam.fsl)
    for term, key in TERMS.items():
        yield close(f"loss {term}", terms[term].value.item(), arrays[key])
    total = total_loss(terms)
    yield close("total without ISL", total.item(), arrays["loss_total_without_isl"])
    total.backward()
    for name in names:
        yield close(f"gradient to {name}", maps[name].grad, arrays[f"grad_{name}"])


def affinity(arrays: Arrays) -> Iterator[Comparison]:
    """AffinityNet's loss of given affinities and label maps, and its gradient."""
    affinities = torch.from_numpy(arrays["affinity"]).requires_grad_()
    masks = pair_labels(torch.from_numpy(arrays["label"]), published().affinity.radius)
    loss = affinity_loss(affinities, *masks)
    loss.backward()
    yield close("loss", loss.item(), arrays["loss"])
    yield close("gradient", affinities.grad, arrays["grad"])
