"""The parity table of a reference folder."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from scripts.parity import losses, maps, networks, schedules, scores
from scripts.parity.arrays import Arrays, read_arrays
from scripts.parity.comparison import Comparison

STEPS: dict[str, Callable[[Arrays], Iterator[Comparison]]] = {
    "feature_similarity.npz": losses.feature_similarity,
    "seam_losses.npz": losses.seam_losses,
    "cam_merge.npz": maps.cam_merge,
    "dense_crf.npz": maps.crf,
    "affinity_labels.npz": maps.affinity_labels,
    "affinity_loss.npz": losses.affinity,
    "random_walk.npz": maps.walk,
    "evaluation.npz": scores.evaluation,
    "evaluation_photographs.npz": scores.evaluation_photographs,
    "schedules.npz": schedules.schedules,
    # The networks last: they take nearly all of the time. SEAM's three share one.
    "seam_network.npz": networks.seam_network,
    "seam_parameter_groups.npz": networks.seam_parameter_groups,
    "seam_gradients.npz": networks.seam_gradients,
    "affinity_network.npz": networks.affinity_network,
    "deeplab_network.npz": networks.deeplab_network,
    "efficientnet_lite.npz": networks.efficientnet_lite,
}
"""File of a reference folder, and the step that it is compared with."""


def compare(name: str, arrays: Arrays) -> list[Comparison]:
    """Compare the step of one file; what cannot be computed is a comparison that failed."""
    rows = []
    try:
        rows.extend(STEPS[name](arrays))
    except (ValueError, IndexError, RuntimeError) as error:
        # Arrays that do not fit each other; the other files may well be in order.
        rows.append(Comparison(f"not compared: {_first_line(error)}", np.inf, 0))
    return rows


def read_folder(folder: Path, names: Iterable[str]) -> dict[str, Arrays]:
    """Arrays of the named files.

    Raises:
        ValueError: a file is missing or cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; name one with --reference")
    return {name: read_arrays(folder / name) for name in names}


def format_table(rows: dict[str, list[Comparison]]) -> str:
    """Rows by file as text in columns."""
    lines = [("step", "compared", "largest error", "allowed", "")]
    for name, comparisons in rows.items():
        step = name.removesuffix(".npz")
        lines += [(step, row.compared, *_figures(row), _verdict(row)) for row in comparisons]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _figures(row: Comparison) -> tuple[str, str]:
    if np.isinf(row.error):
        return "-", f"{row.tolerance:g}"
    if row.counts:
        return f"{row.error} differ", "0"
    return f"{row.error:.1e}", f"{row.tolerance:.0e}"


def _verdict(row: Comparison) -> str:
    return "pass" if row.passed else "FAIL"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
