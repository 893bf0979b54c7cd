"""The page of what has been measured: docs/scale.md, whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hfpl.pipeline import STAGES
from hfpl.storage.atomic import write_text
from studies.scale.estimate import CORES, SIZES, core_hours, images_read
from studies.scale.jobs import JOBS
from studies.scale.memory import Kept

PLAN_COLUMNS = {
    "jobs": "jobs",
    "files": "files",
    "manifests, MB": "manifests, MB",
    "index": "`data index`, s",
    "index, MB": "its memory, MB",
    "masks": "`data masks`, s",
    "plan": "plan, s",
    "plan, clock": "plan, s by the clock",
    "plan, MB": "its memory, MB",
    "dvc commit": "`hfpl dvc commit`, s",
    "dvc status": "`dvc status`, s",
}
LAYOUTS = {"zip": "Pictures in one zip", "folder": "Pictures in a folder"}

_HEAD = """# Scale

How time and memory grow: with the number of images, with their size, and what that makes of VOC
and COCO. Written by `python -m studies.scale draw` from [scale.json](scale.json), to which
`python -m studies.scale plan` (`stages`, `memory`, `sizes`, `presets`) adds what it measures.

![Time and memory against images and pixels](scale.png)

{where}
"""

_MEMORY = """## Memory per image of the set

What a job keeps for each image while it works: names, sizes, tags and hashes, the directories of
archives and results; never pixels. Bytes that Python has allocated for the objects that the job
holds, 4,000 images less 2,000. A job that reads one shard keeps the most per image of its shard,
and little per image of the set. A test holds every job to 1,024 bytes per image of the set at two
shards, the fewest of any preset. Opening files takes more for a moment, mostly Python's own
directory of a zip. Each loading process of a training has the archives' directories once more, a
good hundred bytes per file.

{table}"""

_STAGES = """## Stages against number of images

Whole runs of the preset `micro` (48 x 48 pixels, a network of few channels, one thread) on so many
drawn pictures, a fifth of them held out; trainings take steps in proportion to the images,
`pretrain` draws its own. Time is that of the processor, summed over a stage's jobs, each of which
starts Python and its libraries first: what a further image costs is in the last columns, where
equal values mean that time grows in proportion.

{time}
Peak memory is what the system counted for the largest of a stage's processes: with what opening
files takes for a moment, and with the differences of a megabyte or two that runs have by chance.

{memory}"""

_SIZES = """## Stages against image size

One job each, alone, on drawn pictures with the demo's network and parameters, on one thread: three
pictures, or steps of a batch of four crops in a training. Milliseconds of the processor per image,
reading included, starting not; `evaluate` is all six evaluations of a run.

{time}
Peak memory, MB, above what Python and its libraries take (about 280 MB with torch):

{memory}
Time grows with the pixels, but for SEAM's correlation in `cam train` and `cam infer`: it compares
all pairs of cells, as published, and so its part grows with the square of the pixels where cells
keep their size. It is computed in blocks, so that memory grows with the pixels. Presets for
photographs have a stride of 8 in place of the demo's 4, which makes it 16 times less.
"""

_PLAN = """## Around the stages

Manifests, plans and DVC on data sets of tiny pictures (16 x 16 pixels) in VOC's layout, a fifth of
them held out, shards as in the preset of that size. Seconds are the processor's, those by the
clock what a person waited here, beside the other load. A plan is `snakemake -n`, the slower one of
nothing made and all made. Results of the later stages are stand-ins of 100 bytes per image. Files
are those that Snakemake and DVC know.

"""

_ESTIMATE = """## VOC and COCO

An extrapolation: seconds of one core per image, measured here with the preset `voc2012`
(ResNet-38, its scales and losses, random weights; pictures and crops of 448 x 448, batch 1 so that
it fits into memory), times the images that a run reads. Sixteen cores are taken for eight machines
of two. Shards do spread over cores; a training is one job, and its hours hold only as far as it
uses all cores alike. COCO has 81 labels where VOC has 21, which makes its CRF after the
segmentation network dearer than counted here.

{cost}
{hours}
**On one GPU**: nothing is measured, for none was at hand; [hours from counted
operations](cluster.md#how-long-it-takes). `python benchmarks/training_step.py --preset voc2012`
(or `coco2014`) prints images per second of the step of `cam train`, the largest of the three
trainings: the images above, divided by these, are its seconds. Shards take their time from
`results/*/*/*/logs/*.tsv` of a run's first shard.
"""


def write_page(measured: Mapping[str, Any], path: Path) -> None:
    """Write the page of the parts that have been measured."""
    write_text(path, page(measured))


def page(measured: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    writers = {"memory": _memory, "stages": _stages, "sizes": _sizes, "plan": _plan,
               "presets": _estimate}  # fmt: skip
    parts = [_HEAD.format(where=_conditions(measured))]
    parts += [write(measured[part]) for part, write in writers.items() if part in measured]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _conditions(measured: Mapping[str, Any]) -> str:
    rows = {
        f"`{part}`": [found["on"]["machine"], f"{found['on']['load']:.1f}"]
        for part, found in measured.items()
    }
    text = (
        "Load is the system's average of running and waiting processes when a measurement\n"
        "began, the largest of a part's: other work ran on the cores at the same time. Seconds of\n"
        "the processor suffer little from it, those by the clock much.\n\n"
    )
    return text + table("part", ["measured on", "load"], rows)


def _memory(found: Mapping[str, Any]) -> str:
    rows = {}
    for job, values in found["bytes"].items():
        kept = Kept(**values)
        shard = f"{kept.of_shard:,.0f}" if kept.of_shard else ""
        ends = [f"{kept.per_image(shards):,.0f}" for shards in (2, 16)]
        rows[job] = [f"{kept.of_set:,.0f}", shard, *ends, f"{kept.opening:,.0f}"]
    columns = ["for each image of the set, bytes", "for each image of its shard",
               "per image of the set, 2 shards", "16 shards", "while opening"]  # fmt: skip
    return _MEMORY.format(table=table("job", columns, rows))


def stages_of(runs: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """The stages that were measured at every number of images, in their order."""
    return [stage for stage in STAGES if all(stage in run for run in runs.values())]


def _stages(found: Mapping[str, Any]) -> str:
    runs = by_number(found["micro"])
    numbers = list(runs)
    steps = list(zip(numbers, numbers[1:], strict=False))
    columns = [f"{n:,} images" for n in numbers]
    more = [f"ms per further image, {a:,} to {b:,}" for a, b in steps]
    kilobytes = [f"kB per further image, {a:,} to {b:,}" for a, b in steps]
    time, memory = {}, {}
    for stage in stages_of(runs):
        cpu = {n: run[stage]["cpu"] for n, run in runs.items()}
        peak = {n: run[stage]["MB"] for n, run in runs.items()}
        time[stage] = [number(v) for v in cpu.values()]
        time[stage] += [number(1000 * (cpu[b] - cpu[a]) / (b - a)) for a, b in steps]
        memory[stage] = [f"{v:,.0f}" for v in peak.values()]
        memory[stage] += [number(1024 * (peak[b] - peak[a]) / (b - a)) for a, b in steps]
    return _STAGES.format(
        time=table("stage, seconds", columns + more, time),
        memory=table("stage, MB", columns + kilobytes, memory),
    )


def _sizes(found: Mapping[str, Any]) -> str:
    jobs = {job: by_number(found[job]) for job in JOBS if job in found}
    sides = sorted({side for costs in jobs.values() for side in costs})
    columns = [f"{side} x {side}" for side in sides]

    def rows(key: str, factor: float) -> dict[str, list[str]]:
        return {
            job: [number(factor * costs[s][key]) if s in costs else "" for s in sides]
            for job, costs in jobs.items()
        }

    return _SIZES.format(
        time=table("job, ms per image", columns, rows("cpu", 1000)),
        memory=table("job, MB", columns, rows("megabytes", 1)),
    )


def _plan(found: Mapping[str, Any]) -> str:
    text = _PLAN
    for layout, title in LAYOUTS.items():
        if layout in found:
            rows = {
                f"{n:,}": [number(values[key]) for key in PLAN_COLUMNS]
                for n, values in by_number(found[layout]).items()
            }
            text += f"{title}:\n\n{table('images', list(PLAN_COLUMNS.values()), rows)}\n"
    return text


def _estimate(found: Mapping[str, Any]) -> str:
    costs = {job: next(iter(found[job].values())) for job in JOBS if job in found}
    seconds = {job: cost["cpu"] for job, cost in costs.items()}
    cost = {job: [number(c["cpu"]), number(c["megabytes"])] for job, c in costs.items()}
    hours: dict[str, list[str]] = {}
    sums = []
    for size in SIZES.values():
        images = images_read(size)
        found_hours = core_hours(images, seconds)
        sums += ["", number(sum(found_hours.values()) / CORES)]
        for job, n in images.items():
            spent = found_hours.get(job)
            cell = "not measured" if spent is None else number(spent / CORES)
            hours.setdefault(job, []).extend([f"{n:,}", cell])
    hours["all that is measured"] = sums
    columns = [f"{name}: {what}" for name in SIZES for what in ("images", f"hours, {CORES} cores")]
    return _ESTIMATE.format(
        cost=table("job", ["seconds of a core per image", "MB"], cost),
        hours=table("job", columns, hours),
    )


def by_number(found: Mapping[str, Any]) -> dict[int, Any]:
    """Values by their number, ascending."""
    return {n: found[str(n)] for n in sorted(map(int, found))}


def number(value: float) -> str:
    """Three digits or all before the point."""
    if abs(value) < 0.05:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 10 else f"{value:,.0f}"


def table(first: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table in Markdown with a row for each entry."""
    lines = [f"| {first} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"
