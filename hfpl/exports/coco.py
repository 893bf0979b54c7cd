"""COCO's annotations: one region, run-length encoded, for each class of a photograph."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle

from hfpl.exports.labelled import Results
from hfpl.jobs.progress import track
from hfpl.storage.atomic import write_text


def write_coco(results: Results, folder: Path) -> str:
    """Write ``instances_<split>.json`` for each split; what was written, in words.

    A category's id is its label. Regions are of a class, not of an object.
    """
    files = {split: _empty(results) for split in results.splits()}
    with track("export", len(results), "photographs") as advance:
        for one in results:
            content = files[one.split]
            image_id = len(content["images"]) + 1
            height, width = one.labels.shape
            content["images"].append(
                {"id": image_id, "file_name": one.file, "height": height, "width": width}
            )
            for label in one.found:
                region = rle.encode(np.asfortranarray(one.labels == label))
                content["annotations"].append(
                    {
                        "id": len(content["annotations"]) + 1,
                        "image_id": image_id,
                        "category_id": label,
                        "segmentation": {
                            "size": list(map(int, region["size"])),
                            "counts": region["counts"].decode(),
                        },
                        "area": int(rle.area(region)),
                        "bbox": [float(side) for side in rle.toBbox(region)],
                        "iscrowd": 0,
                    }
                )
            advance()
    for split, content in files.items():
        write_text(folder / f"instances_{split}.json", json.dumps(content, ensure_ascii=False))
    return ", ".join(f"instances_{split}.json" for split in files)


def _empty(results: Results) -> dict[str, Any]:
    categories = [
        {"id": label, "name": name, "supercategory": ""}
        for label, name in enumerate(results.classes, start=1)
    ]
    return {
        "info": {"description": "labels of hfpl"},
        "licenses": [],
        "images": [],
        "categories": categories,
        "annotations": [],
    }
