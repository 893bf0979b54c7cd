"""The refiner after the segmentation network, on other cores while the network goes on."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hfpl.plugins.refiners.interface import Refiner

_WAITING_PER_WORKER = 2
"""Images that wait for a process, or are in it: what bounds the memory."""


class Scored(NamedTuple):
    """An image, uint8 RGB (h, w, 3), and its classes' probabilities, float32 (C, h, w)."""

    name: str
    pixels: NDArray[np.uint8]
    scores: NDArray[np.float32]


def refined_labels(
    images: Iterable[Scored], refiner: Refiner, workers: int
) -> Iterator[tuple[Scored, NDArray[np.uint8]]]:
    """Each image with its label map, uint8 (h, w), after the refiner, in the order they come.

    Args:
        images: read no further ahead than the processes need.
        workers: processes of the refiner; 0: this one. The labels are the same.

    Raises:
        ValueError: as its ``refine``, or a process was killed.
    """
    if workers == 0:
        for image in images:
            yield image, _labels(image.pixels, image.scores, refiner)
        return
    # Not forked: a copy of a process with threads, or with a GPU, may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker)
    waiting: deque[tuple[Scored, Future]] = deque()
    try:
        for image in images:
            waiting.append((image, pool.submit(_labels, image.pixels, image.scores, refiner)))
            if len(waiting) > _WAITING_PER_WORKER * workers:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)
    except BrokenProcessPool:
        raise ValueError(
            "a process of the refiner was killed, perhaps for want of memory; --workers takes fewer"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[Scored, Future]]) -> tuple[Scored, NDArray[np.uint8]]:
    image, labels = waiting.popleft()
    return image, labels.result()


def _labels(
    pixels: NDArray[np.uint8], scores: NDArray[np.float32], refiner: Refiner
) -> NDArray[np.uint8]:
    return refiner.refine(pixels, [scores])[0].argmax(0).astype(np.uint8)


def _start_worker() -> None:
    """Leave Ctrl-C to the main process, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
