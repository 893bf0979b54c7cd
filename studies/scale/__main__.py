"""How time and memory grow: with the number of images, with their size, and to VOC and COCO.

    python -m studies.scale plan    [--images 100 1000 10000 80000] [--layout zip folder]
    python -m studies.scale stages  [--images 100 500 2000]
    python -m studies.scale memory
    python -m studies.scale sizes   [--sides 64 128 256 512] [--jobs JOB ...]
    python -m studies.scale presets [--jobs JOB ...]
    python -m studies.scale draw

``plan``: in a clone of the last commit and on tiny pictures, indexing, a plan and DVC's commands.
``stages``: whole runs of the preset micro in such a clone. ``memory``: what stays in memory per
image. ``sizes``: single jobs of the demo's network. ``presets``: a step and an image of the preset
voc2012, for the estimate. Each adds to docs/scale.json, and ``draw`` makes the page and its figure
of what is there: a measurement may be made in parts, and made again.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import machine
from studies.scale.commands import REPOSITORY

KEPT = REPOSITORY / "docs" / "scale.json"
PRESET, PRESET_SIDE = "voc2012", 448
_DEFAULTS = {"plan": (100, 1000, 10_000, 80_000), "stages": (100, 500, 2000)}


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for and keep it, or draw."""
    parser = argparse.ArgumentParser(prog="studies.scale", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("plan", "stages", "memory", "sizes", "presets", "draw"))
    parser.add_argument("--images", type=int, nargs="+", help="numbers of images")
    parser.add_argument("--layout", nargs="+", choices=("zip", "folder"), default=["zip", "folder"])
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--jobs", nargs="+", help="of sizes and presets (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("build/scale"), help="work folder")
    parser.add_argument("--kept", type=Path, default=KEPT, help="what has been measured (.json)")
    args = parser.parse_args(arguments)
    if args.what == "draw":
        from studies.scale.figure import draw
        from studies.scale.page import write_page

        measured = read(args.kept)
        draw(measured, args.kept.with_suffix(".png"))
        write_page(measured, args.kept.with_suffix(".md"))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    _MEASURE[args.what](args, _Kept(args.kept.resolve(), args.what))


class _Kept:
    """Adds measurements of one part to the file, each with what it ran on."""

    def __init__(self, path: Path, part: str) -> None:
        self.path, self.part = path, part

    def add(self, measure: Callable[[], Any], *keys: str) -> None:
        """Measure, and put the result under keys."""
        load = os.getloadavg()[0]
        found = measure()
        measured = read(self.path)
        part = measured.setdefault(self.part, {})
        # Of the part's measurements, the most that others had the machine do at their start.
        known = part.setdefault("on", {"machine": where(), "load": 0.0})
        part["on"] = {"machine": where(), "load": max(known["load"], round(load, 1))}
        place = part
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = found
        self.path.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """What has been measured: part → its values; nothing where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def where() -> str:
    """The machine in words."""
    hardware, _ = machine().split(", torch")
    return f"{hardware}, Python {platform.python_version()}, torch {torch.__version__}"


def _plan(args: argparse.Namespace, kept: _Kept) -> None:
    from studies.scale.plan import measure_plan

    for images in args.images or _DEFAULTS["plan"]:
        for layout in args.layout:
            folder = args.folder / f"{layout}-{images}"
            kept.add(lambda: measure_plan(folder, images, layout), layout, str(images))  # noqa: B023


def _stages(args: argparse.Namespace, kept: _Kept) -> None:
    from studies.scale.stages import measure_stages

    for images in args.images or _DEFAULTS["stages"]:
        folder = args.folder / f"stages-{images}"
        kept.add(lambda: measure_stages(folder, images), "micro", str(images))  # noqa: B023


def _memory(_: argparse.Namespace, kept: _Kept) -> None:
    from studies.scale.memory import bytes_per_image

    kept.add(lambda: {name: asdict(value) for name, value in bytes_per_image().items()}, "bytes")


def _sizes(args: argparse.Namespace, kept: _Kept) -> None:
    for side in args.sides:
        _jobs(args.jobs, kept, "demo", side, training=4, images=3)


def _presets(args: argparse.Namespace, kept: _Kept) -> None:
    _jobs(args.jobs, kept, PRESET, PRESET_SIDE, training=1, images=1)


def _jobs(
    jobs: list[str] | None, kept: _Kept, preset: str, side: int, training: int, images: int
) -> None:
    from studies.scale.jobs import JOBS, TRAININGS, job_cost

    for job in jobs or JOBS:
        count = training if job in TRAININGS.values() else images
        kept.add(lambda: asdict(job_cost(job, preset, side, count)), job, str(side))  # noqa: B023


_MEASURE = {
    "plan": _plan,
    "stages": _stages,
    "memory": _memory,
    "sizes": _sizes,
    "presets": _presets,
}


if __name__ == "__main__":
    main()
