"""What keeps a plan small, however many images there are."""

from pathlib import Path

import pytest

from studies.scale.plan import usual_shards, write_data_set


@pytest.mark.parametrize("preset", ["voc2012", "coco2014"])
def test_a_data_set_of_its_size_is_at_most_300_jobs(
    tmp_path, snakemake, write_params, read_plan, preset
):
    write_params(tmp_path, preset)
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 0, done.stdout
    assert 0 < sum(jobs for jobs, _ in read_plan(done.stdout).values()) <= 300


@pytest.mark.slow
def test_80000_images_are_planned_in_at_most_300_jobs(
    tmp_path: Path, snakemake, write_params, read_plan
):
    write_data_set(tmp_path / "data", 80_000, "folder")
    shards = usual_shards(80_000)
    root = "datasets.photographs.root=data/photographs"
    write_params(tmp_path, "photographs", root, f"shards={shards}")
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 0, done.stdout
    assert 0 < sum(jobs for jobs, _ in read_plan(done.stdout).values()) <= 300
