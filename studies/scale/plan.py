"""What surrounds the stages: indexing, a plan, DVC's commands, on a data set of tiny pictures.

Results of the other stages are stand-ins of some bytes per image: neither Snakemake nor DVC looks
into them.
"""

import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from ruamel.yaml import YAML

from hfpl.images.palette import encode_mask
from hfpl.params import load_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import made_by
from hfpl.plugins.formats import layout as voc
from studies.scale.commands import Done, clone, noted, run

LAYOUTS = ("zip", "folder")
_SIDE = 16
_BYTES_PER_IMAGE = 100
"""Of a stand-in for a shard of results."""


def measure_plan(folder: Path, images: int, layout: str) -> dict[str, float]:
    """Name → value, for a data set of so many images, in a folder that is made and removed.

    Names are those of :data:`studies.scale.page.PLAN_COLUMNS`; seconds are the processor's.
    """
    with clone(folder):
        write_data_set(Path("data"), images, layout)
        root = "data/photographs" + (".zip" if layout == "zip" else "")
        settings = [f"datasets.photographs.root={root}", f"shards={usual_shards(images)}"]
        Path("params.yaml").write_text(preset_text("photographs", settings), encoding="utf-8")
        fresh = run("snakemake", "-n")
        made = list(made_by(load_params("params.yaml"), "results/photographs"))
        outputs = [path for one in made for path in one.outputs]
        indices = {
            name: [path for one in made if one.job.name == name for path in one.outputs]
            for name in ("data_index", "data_masks")
        }
        for files in indices.values():
            run("snakemake", "--cores", "1", "--", *files)
        jobs = {Path(log).stem: job for log, job in noted().items()}
        write_stand_ins(outputs, images)
        run("snakemake", "--cores", "1", "--touch")
        plan = run("snakemake", "-n")
        if "Nothing to be done" not in plan.text:
            raise SystemExit(f"not all is made:\n{plan.text}")
        commit, status = run("hfpl", "dvc", "commit"), run("dvc", "status")
        return {
            "jobs": planned_jobs(fresh),
            "files": len(outputs),
            "manifests, MB": sum(Path(f).stat().st_size for f in indices["data_index"]) / 1e6,
            "index": jobs["index"]["cpu"],
            "index, MB": jobs["index"]["MB"],
            "masks": jobs["masks"]["cpu"],
            "plan, clock": max(fresh.seconds, plan.seconds),
            "plan": max(fresh.cpu, plan.cpu),
            "plan, MB": max(fresh.megabytes, plan.megabytes),
            "dvc commit": commit.cpu,
            "dvc status": status.cpu,
        }


def planned_jobs(plan: Done) -> int:
    """Number of jobs that a plan says would run."""
    return int(plan.text.split(" jobs would run")[0].split()[-1])


def usual_shards(images: int) -> int:
    """Those of the preset whose data set is of about that size."""
    name = "demo" if images <= 1000 else "voc2012" if images <= 20_000 else "coco2014"
    return YAML(typ="safe").load(preset_text(name))["shards"]


def write_data_set(folder: Path, images: int, layout: str) -> None:
    """Pictures, masks and annotations in VOC's layout, a fifth of them held out."""
    rng = np.random.default_rng(0)
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    mask[4:12, 4:12] = 1
    png = encode_mask(mask)
    _, jpeg = cv2.imencode(".jpg", rng.integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8))
    boxes = [(voc.VOC_CLASSES[k], *box) for k, *box in voc.class_boxes(mask)]
    names = [f"{number:06d}" for number in range(images)]
    lists = {"train": names[images // 5 :], "val": names[: images // 5]}

    def files() -> Iterator[tuple[str, bytes]]:
        for split, ids in lists.items():
            yield f"{voc.LISTS}/{split}.txt", "".join(f"{i}\n" for i in ids).encode()
        for name in names:
            # What follows a JPEG's end is no part of the picture, and makes its hash its own.
            yield f"{voc.IMAGES}/{name}.jpg", jpeg.tobytes() + name.encode()
            yield f"{voc.MASKS}/{name}.png", png
            xml = voc.annotation_xml(name, mask.shape, boxes)
            yield f"{voc.ANNOTATIONS}/{name}.xml", xml.encode()

    folder.mkdir()
    if layout == "zip":
        with zipfile.ZipFile(folder / "photographs.zip", "w") as archive:
            for name, content in files():
                archive.writestr(name, content)
        return
    for part in (voc.IMAGES, voc.MASKS, voc.ANNOTATIONS, voc.LISTS):
        (folder / "photographs" / part).mkdir(parents=True)
    for name, content in files():
        (folder / "photographs" / name).write_bytes(content)


def write_stand_ins(outputs: Sequence[str], images: int) -> None:
    """Every result that is not there, of a size that grows with the images of its shard."""
    share = images // usual_shards(images)
    for path in map(Path, outputs):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            content = os.urandom(_BYTES_PER_IMAGE * (share if path.suffix == ".zip" else 1))
            # DVC reads metrics.
            path.write_bytes(b"{}" if path.suffix == ".json" else content)
