"""From CAMs to label maps: merging, CRF, affinity labels, random walk."""

import re
from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional

from hfpl.images.palette import IGNORE
from hfpl.plugins.methods.scaling import scale_by_range
from hfpl.plugins.refiners.crf import DenseCrf
from hfpl.stages.affinity.labels import NO_SCORE, affinity_label, mean_pool, pair_labels
from hfpl.stages.cam.merge import merge_cams
from hfpl.stages.pseudo.refine import pseudo_label_scores
from hfpl.stages.walk.random_walk import padded_size, random_walk, transition_matrix, walk_labels
from scripts.parity.arrays import Arrays
from scripts.parity.comparison import Comparison, close, equal, near_best
from scripts.parity.settings import published

STRIDE = 8
"""Of the published networks, in pixels."""


def cam_merge(arrays: Arrays) -> Iterator[Comparison]:
    """CAMs of several scales and mirror images, summed and normalised."""
    count = sum(re.fullmatch(r"cam_\d+", name) is not None for name in arrays)
    views = [torch.from_numpy(arrays[f"cam_{i}"][0, 1:]) for i in range(count)]
    labels = torch.from_numpy(arrays["labels"])
    size = (int(arrays["height"]), int(arrays["width"]))
    merged = merge_cams(views, [bool(i % 2) for i in range(count)], size, labels)
    yield equal("classes", np.flatnonzero(arrays["labels"]), np.sort(arrays["classes"]))
    # Ours come in the order of the classes.
    expected = arrays["norm_cam"][np.argsort(arrays["classes"])]
    yield close("normalised CAMs", scale_by_range(merged), expected)


def crf(arrays: Arrays) -> Iterator[Comparison]:
    """Scores of the dense CRF on CAMs, and on the segmentation network's probabilities."""
    prefix = "crf_alpha_"
    names = [name for name in arrays if name.startswith(prefix)]
    alphas = [float(name.removeprefix(prefix)) for name in names]
    refiner = DenseCrf(published().pseudo.crf)
    found = pseudo_label_scores(arrays["image"], arrays["cams"], alphas, refiner)
    for name, alpha, scores in zip(names, alphas, found, strict=True):
        yield close(f"scores at alpha {alpha:g}", scores, arrays[name])
    refiner = DenseCrf(published().segment.test.crf)
    (scores,) = refiner.refine(arrays["image"], [arrays["final_prob_in"]])
    yield close("scores at test time", scores, arrays["final_crf"])


def affinity_labels(arrays: Arrays) -> Iterator[Comparison]:
    """Labels of cells from CRF scores, and of pairs of cells."""
    low, high = np.split(np.moveaxis(arrays["scores_crop"], -1, 0), 2)
    pooled = [mean_pool(scores, STRIDE) for scores in (low, high)]
    yield close("pooled scores", np.moveaxis(np.concatenate(pooled), 0, -1), arrays["pooled"])
    expected = arrays["label"]
    tied = _could_be(expected, *pooled) if expected.shape == pooled[0].shape[1:] else None
    yield equal("labels of cells", affinity_label(low, high, STRIDE), expected, tied)
    # Of the reference's own labels, so that a tie above is no difference here.
    masks = pair_labels(torch.from_numpy(expected), published().affinity.radius)
    for name, mask in zip(("bg_pos", "fg_pos", "neg"), masks, strict=True):
        yield equal(f"pairs {name}", mask, arrays[name])


def walk(arrays: Arrays) -> Iterator[Comparison]:
    """CAMs after a random walk over given affinities, and their label map."""
    order = np.argsort(arrays["cam_classes"])
    classes, cams = arrays["cam_classes"][order], arrays["cams"][order]
    transition = transition_matrix(
        sparse.csr_array(arrays["dense_affinity"]), float(arrays["beta"])
    )
    alpha, log_steps = float(arrays["alpha"]), int(arrays["logt"])
    walked = random_walk(cams, transition, stride=STRIDE, alpha=alpha, log_steps=log_steps)
    channels = np.append(0, classes + 1).astype(int)
    every = np.zeros((len(arrays["walked"]), *walked.shape[1:]), np.float32)
    every[channels] = walked
    yield close("scores after the walk", every, arrays["walked"])
    size = (int(arrays["height"]), int(arrays["width"]))
    label = walk_labels(walked, classes, padded_size(size, STRIDE), size)
    tied = _near_best_label(arrays["label"], every) if arrays["label"].shape == size else None
    yield equal("label map", label, arrays["label"], tied)


def _near_best_label(label: np.ndarray, walked: np.ndarray) -> np.ndarray:
    """Where the label's score is so near to the best that rounding could make it the arg-max."""
    padded = [length * STRIDE for length in walked.shape[1:]]
    scores = functional.interpolate(torch.from_numpy(walked)[None], padded, mode="bilinear")[0]
    near = near_best(scores[:, : label.shape[0], : label.shape[1]].numpy())
    known = np.minimum(label, len(near) - 1)[None]
    return np.take_along_axis(near, known, 0)[0] & (label < len(near))


def _could_be(label: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where rounding of the pooled scores (C, h, w) could give the cell this label."""
    near_low, near_high = near_best(low), near_best(high)
    high_sees_class = near_high[1:].any(0)
    possible = near_low & high_sees_class
    possible[0] = near_high[0]
    ignored = near_low[0] & high_sees_class
    known = np.minimum(label, len(low) - 1)[None]
    found = np.take_along_axis(possible, known, 0)[0] & (label < len(low))
    inside = np.maximum(low.max(0), high.max(0)) >= NO_SCORE
    return inside & np.where(label == IGNORE, ignored, found)
