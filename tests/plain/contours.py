"""Contour matches by dilations of full-size maps."""

import cv2
import numpy as np
from numpy.typing import NDArray


def plain_boundary(mask: NDArray) -> NDArray:
    """Pixels that differ from their east, south or south-east neighbour.

    The last column and row compare with the one neighbour that exists; the corner is none.
    """
    east, south, diagonal = (np.zeros_like(mask) for _ in range(3))
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    diagonal[:-1, :-1] = mask[1:, 1:]
    boundary = (mask ^ east) | (mask ^ south) | (mask ^ diagonal)
    boundary[-1] = mask[-1] ^ east[-1]
    boundary[:, -1] = mask[:, -1] ^ south[:, -1]
    boundary[-1, -1] = False
    return boundary


def plain_counts(label: NDArray, prediction: NDArray, num_classes: int) -> NDArray:
    """Matches and lengths of every class, whether it occurs or not, by dilation with the disk."""
    label = np.where(label == 255, 0, label)
    radius = int(np.ceil(0.008 * np.linalg.norm(label.shape)))
    grid = np.arange(-radius, radius + 1)
    disk = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(np.uint8)
    counts = np.zeros((num_classes - 1, 4), np.int64)
    for k in range(1, num_classes):
        truth, found = plain_boundary(label == k), plain_boundary(prediction == k)
        near_truth, near_found = (
            cv2.dilate(part.astype(np.uint8), disk) > 0 for part in (truth, found)
        )
        sets = (truth & near_found, found & near_truth, truth, found)
        counts[k - 1] = [pixels.sum() for pixels in sets]
    return counts
