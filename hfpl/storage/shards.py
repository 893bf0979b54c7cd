"""Shards: the per-image results of one job in one zip file.

A zip is one file to Snakemake and to DVC, and a few of them cost a remote nothing where ten
thousand small files cost hours. Members are PNGs in the order they were added, with a fixed
date, so that equal results give equal bytes.

``index.json`` lists the images and says from what number the classes of their scores count: 0
where they are tags, of CAMs; 1 where they are labels, so that 0 is the background; null of label
maps. Both kinds of scores look alike, and a reader says which it expects.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from hfpl.images.decode import UNREADABLE
from hfpl.images.palette import IGNORE, class_table, decode_mask, encode_mask
from hfpl.storage.archive import UNREADABLE_ZIP, Archive, add_file
from hfpl.storage.atomic import replacing
from hfpl.storage.names import Names

First = Literal[0, 1]
"""Number of the first class: 0 of tags, 1 of labels."""
_KINDS = {
    0: "CAMs, whose classes count from 0",
    1: "scores of labels, whose classes count from 1",
    None: "label maps",
}
_INDEX = "index.json"
_CLASSES = "classes.csv"
_LEVELS = 200
_ROUNDING = 1e-4
"""Scores up to this are rounding errors of zero; also keeps a score on a level's edge below it."""


def quantised(scores: np.ndarray) -> np.ndarray:
    """Levels, uint8, of float scores in [0, 1]: 0 for none, k for ((k - 1) / 200, k / 200].

    No threshold at a multiple of 0.005, and so none of the evaluation's and no usual background
    score, falls between a score and what is read for it.
    """
    return np.ceil((np.clip(scores, 0, 1) - _ROUNDING) * _LEVELS).clip(0).astype(np.uint8)


def restored(levels: np.ndarray) -> np.ndarray:
    """Scores, float32, of :func:`quantised` levels: the middle of each; at most 0.0026 off."""
    return np.maximum(levels.astype(np.float32) - np.float32(0.5), 0) / np.float32(_LEVELS)


class ShardWriter:
    """Collects results; made by :func:`write_shard`."""

    def __init__(
        self, archive: zipfile.ZipFile, classes: Sequence[str], counts_from: First | None
    ) -> None:
        self._archive = archive
        self._classes = classes
        self._counts_from = counts_from
        self._index: dict[str, list[int] | None] = {}

    def add_scores(self, image_id: str, classes: Sequence[int], scores: np.ndarray) -> None:
        """Add per-class scores.

        Args:
            image_id: name of the image, unique in the shard.
            classes: class of each channel, in the order of the channels, counted as the shard says.
            scores: float32 (m, h, w) in [0, 1]; stored in steps of 1/200 as one grey PNG.
        """
        if self._counts_from is None:
            raise ValueError(f"{image_id}: scores in a shard of label maps")
        if len(classes) != len(scores):
            raise ValueError(f"{image_id}: {len(classes)} classes for {len(scores)} score maps")
        self._register(image_id, list(classes))
        if len(scores):
            levels = quantised(scores)
            stacked = levels.reshape(-1, levels.shape[-1])
            # Smooth maps: the "up" filter and fast compression come within 5 % of the smallest.
            _, png = cv2.imencode(".png", stacked, [cv2.IMWRITE_PNG_COMPRESSION, 6])
            self._write(f"{image_id}.png", png.tobytes())

    def add_mask(self, image_id: str, mask: np.ndarray) -> None:
        """Add a label map, uint8 (h, w), as a palette PNG."""
        if self._counts_from is not None:
            raise ValueError(f"{image_id}: a label map in a shard of scores")
        self._register(image_id, None)
        self._write(f"{image_id}.png", encode_mask(mask))

    def finish(self) -> None:
        """Write the list of images, and the classes; called by :func:`write_shard`."""
        index = {"counts_from": self._counts_from, "images": self._index}
        self._write(_INDEX, json.dumps(index, ensure_ascii=False).encode())
        if self._classes:
            self._write(_CLASSES, class_table(self._classes).encode())

    def _register(self, image_id: str, classes: list[int] | None) -> None:
        if image_id in self._index:
            raise ValueError(f"{image_id}: added twice")
        self._index[image_id] = None if classes is None else [int(c) for c in classes]

    def _write(self, name: str, content: bytes) -> None:
        # PNGs are compressed already, so they are stored.
        add_file(self._archive, name, content)


@contextmanager
def write_shard(
    path: str | Path, classes: Sequence[str] = (), *, counts_from: First | None = None
) -> Iterator[ShardWriter]:
    """Write a shard whole or not at all.

    Args:
        classes: names of the foreground classes, for a person who looks into it.
        counts_from: number of the first class of scores; None: a shard of label maps.
    """
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        writer = ShardWriter(archive, classes, counts_from)
        yield writer
        writer.finish()


class Shard:
    """Results of one shard, read image by image.

    Raises:
        ValueError: the file is missing or no shard; the message names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._archive = Archive(self.path)
            index = json.loads(self._archive.read(_INDEX, self._most))
        except FileNotFoundError:
            raise ValueError(f"{path}: no such file") from None
        except (*UNREADABLE_ZIP, KeyError, ValueError, RecursionError) as error:
            raise ValueError(f"{path}: not a shard: {error}") from None
        self.counts_from, index = _checked(self.path, index)
        ids = sorted(index)
        self._names = Names(ids)
        place = {image_id: number for number, image_id in enumerate(ids)}
        self._order = np.array([place[image_id] for image_id in index], np.uint32)
        # Few different sets of classes exist.
        kinds = [None if index[image_id] is None else tuple(index[image_id]) for image_id in ids]
        self._kinds = list(dict.fromkeys(kinds))
        number = {kind: k for k, kind in enumerate(self._kinds)}
        self._kind = np.array([number[kind] for kind in kinds], np.uint32)

    def __contains__(self, image_id: str) -> bool:
        return self._names.find(image_id) is not None

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order they were written."""
        return [self._names[place] for place in self._order]

    @property
    def _most(self) -> int:
        """Bytes of the largest member: they are stored as they are, so none is larger than all."""
        return self.path.stat().st_size

    def class_table(self) -> bytes | None:
        """CSV of labels, names and colours, where the shard holds it."""
        try:
            known = _CLASSES in self._archive
            return self._archive.read(_CLASSES, self._most) if known else None
        except UNREADABLE_ZIP as error:
            raise ValueError(f"{self.path}: '{_CLASSES}' cannot be read: {error}") from None

    def scores(
        self, image_id: str, size: tuple[int, int], *, counts_from: First
    ) -> tuple[list[int], np.ndarray]:
        """Classes and their scores, float32 (m, h, w) in [0, 1]; m = 0 for an untagged image.

        Args:
            size: (h, w) of the image.
            counts_from: number of the first class, as the reader takes them.

        Raises:
            ValueError: the shard holds label maps, counts otherwise, or cannot be read.
        """
        classes = self._classes(image_id)
        if classes is None:
            raise ValueError(f"{self.path}: '{image_id}' is a label map, expected scores")
        if self.counts_from != counts_from:
            raise ValueError(
                f"{self.path}: holds {_KINDS[self.counts_from]}; needed are {_KINDS[counts_from]}"
            )
        if not classes:
            return [], np.zeros((0, *size), np.float32)
        content = np.frombuffer(self._read(image_id), np.uint8)
        stacked = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE) if len(content) else None
        if stacked is None or len(stacked) % len(classes):
            raise ValueError(f"{self.path}: '{image_id}' is not a picture of its scores")
        levels = stacked.reshape(len(classes), -1, stacked.shape[1])
        if levels.shape[1:] != tuple(size):
            raise ValueError(
                f"{self.path}: '{image_id}' is {levels.shape[1:]}, its image {tuple(size)} pixels"
            )
        return list(classes), restored(levels)

    def holds_scores(self, image_id: str) -> bool:
        """Whether an image's result is scores, and no label map."""
        return self._classes(image_id) is not None

    def mask(self, image_id: str) -> np.ndarray:
        """Label map, uint8 (h, w)."""
        if self._classes(image_id) is not None:
            raise ValueError(f"{self.path}: '{image_id}' has scores, expected a label map")
        try:
            return decode_mask(self._read(image_id))
        except UNREADABLE as error:
            raise ValueError(f"{self.path}: '{image_id}' cannot be read: {error}") from None

    def member_names(self) -> list[str]:
        """Names of the images that have a result, in the order they were written."""
        return [self._names[place] for place in self._order if self._kinds[self._kind[place]] != ()]

    def member(self, image_id: str) -> bytes:
        """PNG of an image's result; ValueError where it cannot be read."""
        return self._read(image_id)

    def _read(self, image_id: str) -> bytes:
        try:
            return self._archive.read(f"{image_id}.png", self._most)
        except (*UNREADABLE_ZIP, KeyError) as error:
            raise ValueError(f"{self.path}: '{image_id}' cannot be read: {error}") from None

    def _classes(self, image_id: str) -> tuple[int, ...] | None:
        place = self._names.find(image_id)
        if place is None:
            raise ValueError(f"{self.path}: no result for image '{image_id}'")
        return self._kinds[self._kind[place]]


class Shards:
    """Several shards read as one, for example all of a split."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self._shards = [Shard(path) for path in paths]

    def __contains__(self, image_id: str) -> bool:
        return any(image_id in shard for shard in self._shards)

    def scores(
        self, image_id: str, size: tuple[int, int], *, counts_from: First
    ) -> tuple[list[int], np.ndarray]:
        """As :meth:`Shard.scores`."""
        return self._find(image_id).scores(image_id, size, counts_from=counts_from)

    def holds_scores(self, image_id: str) -> bool:
        """As :meth:`Shard.holds_scores`."""
        return self._find(image_id).holds_scores(image_id)

    def mask(self, image_id: str) -> np.ndarray:
        """As :meth:`Shard.mask`."""
        return self._find(image_id).mask(image_id)

    def _find(self, image_id: str) -> Shard:
        for shard in self._shards:
            # A single one says itself that it has no result, by its name.
            if image_id in shard or len(self._shards) == 1:
                return shard
        raise ValueError(f"no shard holds a result for image '{image_id}'")


def _are_classes(of: list[object] | None) -> bool:
    return all(type(k) is int and 0 <= k <= IGNORE for k in of or ())


def _checked(path: Path, index: object) -> tuple[First | None, dict[str, list[int] | None]]:
    """What an index says: number of the first class, and the images with their classes.

    Raises:
        ValueError: it is none, or of a version that did not say how classes count.
    """
    images = index.get("images") if isinstance(index, dict) else None
    if isinstance(images, dict) and "counts_from" in index:
        first = index["counts_from"]
        wanted = type(None) if first is None else list
        known = first is None or (type(first) is int and first in (0, 1))
        if known and all(isinstance(of, wanted) and _are_classes(of) for of in images.values()):
            return first, images
    elif isinstance(index, dict) and all(
        of is None or isinstance(of, list) for of in index.values()
    ):
        raise ValueError(
            f"{path}: written by an earlier version, whose shards do not say from what number "
            "classes count; make it again"
        )
    raise ValueError(f"{path}: not a shard: {_INDEX} lists no images")
