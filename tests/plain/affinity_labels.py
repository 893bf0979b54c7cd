"""Labels of cells and of their pairs, cell by cell."""

import numpy as np
from numpy.typing import NDArray


def plain_label(low: NDArray, high: NDArray, stride: int) -> NDArray:
    """The rules of docs/method.md, 4.2, one cell at a time."""
    rows, columns = low.shape[1] // stride, low.shape[2] // stride
    label = np.zeros((rows, columns), np.uint8)
    for y in range(rows):
        for x in range(columns):
            square = np.s_[:, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride]
            a = low[square].astype(np.float64).mean((1, 2))
            b = high[square].astype(np.float64).mean((1, 2))
            label[y, x] = np.argmax(a) or 255
            if np.argmax(b) == 0:
                label[y, x] = 0
            if max(a.max(), b.max()) < 1e-5:
                label[y, x] = 255
    return label


def plain_pairs(label: NDArray, radius: int) -> tuple[NDArray, NDArray, NDArray]:
    """Background, foreground and negative pairs by loops over offsets and positions."""
    height, width = label.shape
    offsets = [(0, dx) for dx in range(1, radius)]
    for dy in range(1, radius):
        reach = range(1 - radius, radius)
        offsets += [(dy, dx) for dx in reach if dx**2 + dy**2 < radius**2]
    kinds = []
    for dy, dx in offsets:
        row = []
        for y in range(height - (radius - 1)):
            for x in range(radius - 1, width - (radius - 1)):
                a, b = label[y, x], label[y + dy, x + dx]
                if 255 in (a, b):
                    row.append("none")
                elif a != b:
                    row.append("neg")
                else:
                    row.append("fg" if a else "bg")
        kinds.append(row)
    kinds = np.array(kinds)
    return kinds == "bg", kinds == "fg", kinds == "neg"
