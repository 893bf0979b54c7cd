"""ImageNet's colour statistics."""

import numpy as np

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

_SCALE = (1 / (255 * np.array(STD))).astype(np.float32)
_OFFSET = (-np.array(MEAN) / np.array(STD)).astype(np.float32)


def normalise(image: np.ndarray) -> np.ndarray:
    """RGB uint8 or float32 (h, w, 3) in [0, 255] → float32 (h, w, 3), mean 0, deviation 1."""
    return image.astype(np.float32) * _SCALE + _OFFSET
