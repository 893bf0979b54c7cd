"""The CRF at both background powers against a model each, on one core and on two."""

import multiprocessing
from functools import lru_cache
from multiprocessing.pool import Pool

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison import Comparison, assert_equal
from hfpl.plugins.refiners.crf import build
from hfpl.stages.pseudo.refine import pseudo_label_scores
from tests.plain.dense_crf import plain_scores

REFINER = build(
    iterations=10,
    gaussian={"sxy": 3, "compat": 3},
    bilateral={"sxy": 80, "srgb": 13, "compat": 10},
)
ALPHAS = (1, 24)
_IMAGES_OF_A_SHARD = 2


def _picture(seed: int, small: bool) -> tuple[NDArray, NDArray]:
    """A smooth picture with noise, and CAMs of two classes."""
    height, width = (24, 32) if small else (375, 500)
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 12, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = smooth + rng.normal(scale=4, size=smooth.shape)
    cams = [cv2.resize(c, (width, height)) for c in rng.random((2, 6, 8), dtype=np.float32)]
    return noisy.clip(0, 255).astype(np.uint8), np.stack(cams)


def _prepare(small: bool) -> tuple[NDArray, NDArray]:
    return _picture(0, small)


def _plain(image: NDArray, cams: NDArray) -> list[NDArray]:
    return plain_scores(image, cams, ALPHAS, REFINER)


def _fast(image: NDArray, cams: NDArray) -> list[NDArray]:
    return pseudo_label_scores(image, cams, ALPHAS, REFINER)


def _prepare_shards(small: bool) -> tuple[list, list]:
    seeds = iter(range(2 * _IMAGES_OF_A_SHARD))
    return tuple([_picture(next(seeds), small) for _ in range(_IMAGES_OF_A_SHARD)] for _ in "ab")


def _refine(shard: list[tuple[NDArray, NDArray]]) -> list[NDArray]:
    """The scores' best classes; passing all scores between processes is no part of the step."""
    return [scores.argmax(0) for picture in shard for scores in _fast(*picture)]


def _in_turn(one: list, other: list) -> list[NDArray]:
    return _refine(one) + _refine(other)


@lru_cache(maxsize=1)
def _processes() -> Pool:
    return multiprocessing.get_context("spawn").Pool(2)


def _side_by_side(one: list, other: list) -> list[NDArray]:
    """As Snakemake runs the jobs of two shards, which stay while the work is repeated."""
    first, second = _processes().map(_refine, [one, other], chunksize=1)
    return first + second


COMPARISONS = (
    Comparison(
        "CRF, both alphas, 500x375, one core",
        "a model for each alpha",
        _prepare,
        _plain,
        _fast,
        assert_equal,
        faster=1.1,
    ),
    Comparison(
        "CRF, two shards, two cores",
        "one shard after the other, as fast",
        _prepare_shards,
        _in_turn,
        _side_by_side,
        assert_equal,
        faster=1.8,
        alone=False,
    ),
)
