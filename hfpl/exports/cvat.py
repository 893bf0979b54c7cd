"""Annotations for CVAT (format "CVAT 1.1"), with the labels as masks that a person corrects."""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from hfpl.exports.labelled import Results
from hfpl.images.regions import runs_of
from hfpl.jobs.progress import track
from hfpl.storage.atomic import write_text


def write_cvat(results: Results, folder: Path) -> str:
    """Write ``annotations.xml``; what was written, in words.

    CVAT finds its image of a task by the name: upload the photographs with their folders.
    """
    labels = "".join(
        f"<label><name>{escape(name)}</name><attributes></attributes></label>"
        for name in results.classes
    )
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta><task><labels>{labels}</labels></task></meta>\n"
    ]
    with track("export", len(results), "photographs") as advance:
        for number, one in enumerate(results):
            height, width = one.labels.shape
            name = quoteattr(one.file.removeprefix("images/"))
            masks = "".join(
                _mask(results.classes[label - 1], one.labels == label) for label in one.found
            )
            parts.append(
                f'<image id="{number}" name={name} subset="{one.split}" width="{width}" '
                f'height="{height}">\n{masks}</image>\n'
            )
            advance()
    write_text(folder / "annotations.xml", "".join([*parts, "</annotations>\n"]))
    return "annotations.xml"


def _mask(name: str, mask: NDArray[np.bool_]) -> str:
    """A mask as run lengths, row by row, of the box that it lies in."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = rows[0], columns[0]
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    runs = ", ".join(map(str, runs_of(box.T)["counts"]))
    height, width = box.shape
    return (
        f'  <mask label={quoteattr(name)} source="file" occluded="0" rle="{runs}" left="{left}" '
        f'top="{top}" width="{width}" height="{height}" z_order="0"></mask>\n'
    )
