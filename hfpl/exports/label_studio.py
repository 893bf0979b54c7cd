"""Tasks for Label Studio, with the labels as predictions that a person corrects."""

import json
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from hfpl.exports.labelled import Labelled, Results
from hfpl.images.palette import voc_palette
from hfpl.jobs.progress import track
from hfpl.storage.atomic import write_text

_LONGEST = 2**16


def write_label_studio(
    results: Results, folder: Path, address: str = "/data/local-files/?d="
) -> str:
    """Write ``tasks.json`` and ``label_config.xml``; what was written, in words.

    Args:
        address: what stands before a photograph's file in the address that Label Studio opens.
    """
    with track("export", len(results), "photographs") as advance:
        tasks = []
        for one in results:
            tasks.append(_task(one, results.classes, address))
            advance()
    write_text(folder / "tasks.json", json.dumps(tasks, ensure_ascii=False))
    write_text(folder / "label_config.xml", _config(results.classes))
    return "tasks.json, label_config.xml"


def _task(one: Labelled, classes: tuple[str, ...], address: str) -> dict:
    height, width = one.labels.shape
    result = [
        {
            "id": f"{label}",
            "type": "brushlabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": packed_brush(one.labels == label),
                "brushlabels": [classes[label - 1]],
            },
        }
        for label in one.found
    ]
    return {
        "data": {"image": address + quote(one.file)},
        "predictions": [{"model_version": "hfpl", "result": result}],
    }


def _config(classes: tuple[str, ...]) -> str:
    colours = voc_palette()
    labels = "".join(
        f'    <Label value={quoteattr(name)} background="#{bytes(colours[k]).hex()}"/>\n'
        for k, name in enumerate(classes, start=1)
    )
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <BrushLabels name="label" toName="image">\n{labels}  </BrushLabels>\n</View>\n'
    )


def packed_brush(mask: NDArray[np.bool_]) -> list[int]:
    """Bytes of a boolean map (h, w) as Label Studio packs a brush's RGBA pixels.

    Runs of equal bytes alone, each as a bit 1, two bits that choose among four widths of its
    length (here the last, 16 bits), its length less one, and the byte.
    """
    flat = mask.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
    lengths = 4 * np.diff(np.append(starts, flat.size))
    header = f"{4 * flat.size:032b}{8 - 1:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    bits = [header]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        byte = f"{255 if flat[start] else 0:08b}"
        for part in range(0, length, _LONGEST):
            bits.append(f"111{min(_LONGEST, length - part) - 1:016b}{byte}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
