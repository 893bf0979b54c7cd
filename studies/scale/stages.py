"""Time and memory of all stages of whole runs with more and more images."""

from collections.abc import Mapping
from pathlib import Path

from hfpl.params.presets import preset_text
from studies.scale.commands import clone, noted, run


def measure_stages(folder: Path, images: int) -> dict[str, dict[str, float]]:
    """Stage → CPU seconds of all its jobs and peak memory of the largest, in MB.

    A run of the preset micro on drawn pictures, a fifth of them held out; as in a real run, a
    training takes steps in proportion to its images.
    """
    with clone(folder):
        Path("params.yaml").write_text(preset_text("micro", run_settings(images)), encoding="utf-8")
        run("snakemake", "--cores", "1", "--config", "threads=1")
        return by_stage(noted())


def run_settings(images: int) -> list[str]:
    """Settings of a run with so many images in all."""
    val = images // 5
    batch = 4
    return [
        f"datasets.shapes.train={images - val}",
        f"datasets.shapes.val={val}",
        f"segment.batch={batch}",
        f"segment.iterations={(images - val) // batch}",
    ]


def by_stage(jobs: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Usage of the jobs, by their logs, summed up by the folder of their results."""
    found: dict[str, dict[str, float]] = {}
    for log, job in jobs.items():
        stage = found.setdefault(Path(log).parents[1].name, {"cpu": 0.0, "MB": 0.0})
        stage["cpu"] += job["cpu"]
        stage["MB"] = max(stage["MB"], job["MB"])
    return found
