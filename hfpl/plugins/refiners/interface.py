"""What the stages pseudo and segment ask of a refiner."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Refiner(ABC):
    """Fits scores of classes to their image.

    It is sent to other processes: its attributes are plain values, such as its options.
    """

    @abstractmethod
    def refine(
        self, image: NDArray[np.uint8], scores: Sequence[NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Refine several maps of scores of one image, each by itself.

        They come together so that what depends on the image alone is computed once.

        Args:
            image: RGB uint8 (h, w, 3).
            scores: float32 (C, h, w) each, C > 0, the same for all; not negative. They need not
                sum to 1.

        Returns:
            For each float32 (C, h, w) in [0, 1]; the class with the largest score is the label.

        Raises:
            ValueError: as :func:`check_scores`.
        """


def check_scores(image: NDArray, scores: NDArray, name: str = "scores") -> None:
    """Refuse what is no image, or no scores of it.

    Args:
        image: RGB uint8 (h, w, 3).
        scores: (n, h, w), finite.
        name: what the error line calls the scores.

    Raises:
        ValueError: wrong shapes or dtype, or scores that are not finite.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must be uint8 (h, w, 3), got {image.dtype} {image.shape}")
    if scores.ndim != 3 or scores.shape[1:] != image.shape[:2]:
        raise ValueError(
            f"{name} must be (n, {image.shape[0]}, {image.shape[1]}), got {scores.shape}"
        )
    # A NaN spreads over the whole image, and can make a CRF's inference very slow.
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} hold values that are not finite")
