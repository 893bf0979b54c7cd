"""A trained segmentation network in Python: photographs in, labels out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hfpl.images.decode import UNREADABLE, decode_image, shrunk_size, upright
from hfpl.images.palette import colour_mask
from hfpl.jobs.runtime import set_up
from hfpl.numerics import Runtime
from hfpl.plugins.refiners import build_refiner
from hfpl.stages.segment.model import Model, load_model
from hfpl.stages.segment.params import SegmentTest
from hfpl.stages.segment.refine import Seen, found_in, on_other_cores
from hfpl.stages.segment.test import class_probabilities

Photograph = Image.Image | NDArray[np.uint8] | str | Path
"""An image of Pillow's of any mode, RGB or grey uint8 (h, w, 3) or (h, w), or a file."""
_TINT = 0.55
"""Share of the class's colour in an overlay."""


@dataclass(frozen=True)
class Segmented:
    """What a network finds in a photograph.

    Attributes:
        labels: uint8 (h, w), of the photograph's size, turned upright; each the place of a name
            in ``classes``.
        scores: float32 (C, h', w'), probabilities of the classes, of the size that the network
            saw, at most :attr:`Segmenter.long_side`; after the CRF, where that is on.
        classes: C names; the first is ``background``.
    """

    labels: NDArray[np.uint8]
    scores: NDArray[np.float32]
    classes: tuple[str, ...]

    def found(self) -> dict[str, float]:
        """Share of the photograph of each class that was found, background left out; in [0, 1]."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes))
        shares = counts / self.labels.size
        return {self.classes[k]: float(shares[k]) for k in range(1, len(counts)) if counts[k]}


class Segmenter:
    """A trained network that labels photographs; made by :meth:`load`.

    Args:
        model: the network and how it is tested.
        runtime: where it runs.
        crf: whether the network's scores are refined.
        test: scales and refiner in place of the model's.
        long_side: photographs with a longer side are shrunk for the network, in pixels; None: to
            the largest training image, whose scale the network knows.
    """

    def __init__(
        self,
        model: Model,
        runtime: Runtime,
        *,
        crf: bool = True,
        test: SegmentTest | None = None,
        long_side: int | None = None,
    ) -> None:
        self.model, self._runtime = model, runtime
        self.classes = ("background", *model.classes)
        self.long_side = long_side or model.long_side
        self.test = test or model.test
        options = self.test.model_dump()[self.test.refiner]
        self._refiner = build_refiner(self.test.refiner, options) if crf else None

    @property
    def refines(self) -> bool:
        """Whether the network's scores are refined."""
        return self._refiner is not None

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        crf: bool = True,
        device: str = "auto",
        threads: int | None = None,
        long_side: int | None = None,
    ) -> "Segmenter":
        """Read the model of a run, ``segment/model.safetensors``.

        Args:
            crf: whether the dense CRF (or what the run refined with) follows the network.
            device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:<n>``.
            threads: of torch in this process; None leaves torch's choice.
            long_side: as of the class.

        Raises:
            ValueError: the file is no such model, or the device is not there; one line.
        """
        if long_side is not None and long_side < 1:
            raise ValueError(f"long_side {long_side}: expected at least 1")
        runtime = set_up(device, threads)
        return cls(load_model(Path(path), runtime), runtime, crf=crf, long_side=long_side)

    def __call__(self, photograph: Photograph) -> Segmented:
        """Label a photograph.

        Raises:
            ValueError: it cannot be read, or is none; the message names the file.
        """
        (found,) = self.stream([photograph])
        return found

    def stream(self, photographs: Iterable[Photograph], workers: int = 0) -> Iterator[Segmented]:
        """Label photographs in their order; few are held at a time.

        Args:
            workers: processes that the CRF runs in while the network goes on. With any, a script
                must guard its own start (``if __name__ == "__main__":``), as for every start of
                processes in Python. The labels are the same.

        Raises:
            ValueError: as of a single one.
        """
        for _, found in self.labelled(((None, p) for p in photographs), workers):
            if isinstance(found, Exception):
                raise found
            yield found

    def labelled(
        self, photographs: Iterable[tuple[Any, Photograph]], workers: int = 0
    ) -> Iterator[tuple[Any, Segmented | Exception]]:
        """Label photographs that each have a name or whatever else belongs to them; what is wrong
        with one comes in place of its labels, and the others are done."""
        finish = partial(found_in, refiner=self._refiner)
        scored = (self._scored(key, photograph) for key, photograph in photographs)
        for one, found in on_other_cores(scored, finish, workers):
            if isinstance(found, Exception):
                yield one.key, found
            else:
                yield one.key, Segmented(*found, self.classes)

    def _scored(self, key: Any, photograph: Photograph) -> "Seen":
        try:
            image = as_image(photograph)
            size = shrunk_size(image.size, self.long_side)
            resample = Image.Resampling.BICUBIC
            pixels = np.asarray(image if size == image.size else image.resize(size, resample))
            scores = class_probabilities(
                self.model.network, pixels, self.test.scales, self._runtime
            )
        except UNREADABLE as error:
            return Seen(key, (0, 0), None, error)
        return Seen(key, (image.height, image.width), pixels, scores)


def as_image(photograph: Photograph) -> Image.Image:
    """A photograph as a person sees it, RGB.

    Raises:
        ValueError: it cannot be read, or is an array of another kind.
    """
    if isinstance(photograph, str | Path):
        try:
            return decode_image(Path(photograph).read_bytes())
        except UNREADABLE as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"{photograph}: not a readable photograph: {reason}") from None
    if isinstance(photograph, np.ndarray):
        grey = photograph.ndim == 2
        if photograph.dtype != np.uint8 or not (grey or photograph.shape[2:] == (3,)):
            raise ValueError(
                "a photograph as an array is uint8 (h, w, 3), RGB, or (h, w), grey; got "
                f"{photograph.dtype} {photograph.shape}"
            )
        return Image.fromarray(photograph).convert("RGB")
    return upright(photograph)


def draw_overlay(pixels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photograph, uint8 (h, w, 3), tinted in the palette's colour where a class was found."""
    tinted = cv2.addWeighted(colour_mask(mask), _TINT, pixels, 1 - _TINT, 0)
    return np.where((mask > 0)[..., None], tinted, pixels)
