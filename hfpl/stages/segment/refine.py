"""The refiner after the segmentation network, on other cores while the network goes on."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import wait
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hfpl.images.decode import UNREADABLE
from hfpl.plugins.refiners.interface import Refiner

Thing = TypeVar("Thing")
Made = TypeVar("Made")
_WAITING_PER_WORKER = 2
"""Images that wait for a process, or are in it: what bounds the memory."""


class Scored(NamedTuple):
    """An image, uint8 RGB (h, w, 3), and its classes' probabilities, float32 (C, h, w)."""

    name: str
    pixels: NDArray[np.uint8]
    scores: NDArray[np.float32]


class Seen(NamedTuple):
    """A photograph that a network has seen.

    Attributes:
        key: whatever it goes by.
        size: height and width of the photograph.
        pixels: uint8 RGB (h, w, 3) that the network saw, or None.
        scores: float32 (C, h, w), or what was wrong with the photograph.
    """

    key: Any
    size: tuple[int, int]
    pixels: NDArray[np.uint8] | None
    scores: NDArray[np.float32] | Exception


def found_in(
    seen: Seen, refiner: Refiner | None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | Exception:
    """Labels at the photograph's size, and scores after the refiner; or what is wrong."""
    if isinstance(seen.scores, Exception):
        return seen.scores
    try:
        scores = seen.scores
        if refiner is not None:
            (scores,) = refiner.refine(seen.pixels, [scores])
        return enlarged_labels(scores, seen.size), scores
    except UNREADABLE as error:
        return error


def enlarged_labels(scores: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The class with the largest score at each position of a larger map.

    Shape:
        scores: float32 (C, h, w); enlarged bilinearly, one class at a time to spare memory.
        size: height and width of the result, uint8.
    """
    if scores.shape[1:] == size:
        return scores.argmax(0).astype(np.uint8)
    labels = np.zeros(size, np.uint8)
    best = np.full(size, -np.inf, np.float32)
    for label, map_ in enumerate(scores):
        large = cv2.resize(map_, size[::-1], interpolation=cv2.INTER_LINEAR)
        labels[large > best] = label
        np.maximum(best, large, out=best)
    return labels


def refined_labels(
    images: Iterable[Scored], refiner: Refiner, workers: int
) -> Iterator[tuple[Scored, NDArray[np.uint8]]]:
    """Each image with its label map, uint8 (h, w), after the refiner, in the order they come.

    Args:
        images, workers: as of :func:`on_other_cores`.

    Raises:
        ValueError: as its ``refine``, or a process was killed.
    """
    return on_other_cores(images, partial(_labels, refiner=refiner), workers)


def on_other_cores(
    things: Iterable[Thing], finish: Callable[[Thing], Made], workers: int
) -> Iterator[tuple[Thing, Made]]:
    """Each thing with what is made of it, in the order they come.

    Args:
        things: read no further ahead than the processes need.
        finish: what is done in the other processes.
        workers: processes; 0: this one. What is made is the same.

    Raises:
        ValueError: a process was killed; and whatever ``finish`` raises.
    """
    if workers == 0:
        for thing in things:
            yield thing, finish(thing)
        return
    # Not forked: a copy of a process with threads, or with a GPU, may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start_worker)
    waiting: deque[tuple[Thing, Future[Made]]] = deque()
    try:
        for thing in things:
            waiting.append((thing, pool.submit(finish, thing)))
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


def _next(waiting: deque[tuple[Thing, Future[Made]]]) -> tuple[Thing, Made]:
    thing, made = waiting.popleft()
    return thing, made.result()


def _labels(image: Scored, refiner: Refiner) -> NDArray[np.uint8]:
    return refiner.refine(image.pixels, [image.scores])[0].argmax(0).astype(np.uint8)


def _start_worker() -> None:
    """Leave Ctrl-C to the main process, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
