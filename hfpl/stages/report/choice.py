"""Which images a contact sheet shows."""

import hashlib
from collections.abc import Collection, Sequence

from hfpl.storage.manifest import ImageRecord


def choose_images(
    images: Sequence[ImageRecord], scored: Collection[str], count: int
) -> list[ImageRecord]:
    """A fixed handful of images, sorted by id, by no score whatever.

    Scored and tagged images come before others. Among equals the order is that of a hash of the
    id, so that a new image moves at most a few others; an image that adds a class not yet shown is
    taken first, until every class is.

    Args:
        images: of a split, in any order.
        scored: ids of the images that have a ground truth.
        count: how many to choose; all of them where there are fewer.
    """
    waiting = sorted(images, key=lambda image: _rank(image, scored))
    chosen: list[ImageRecord] = []
    shown: set[int] = set()
    while waiting and len(chosen) < count:
        standing = _standing(waiting[0], scored)
        equals = (image for image in waiting if _standing(image, scored) == standing)
        pick = next((image for image in equals if set(image.tags) - shown), waiting[0])
        waiting.remove(pick)
        chosen.append(pick)
        shown.update(pick.tags)
    return sorted(chosen, key=lambda image: image.id)


def _standing(image: ImageRecord, scored: Collection[str]) -> tuple[bool, bool]:
    return image.id not in scored, not image.tags


def _rank(image: ImageRecord, scored: Collection[str]) -> tuple[bool, bool, bytes]:
    return *_standing(image, scored), hashlib.sha256(image.id.encode()).digest()
