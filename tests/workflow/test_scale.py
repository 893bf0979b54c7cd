"""What keeps a plan small, however many images there are."""

import pytest


@pytest.mark.parametrize("preset", ["voc2012", "coco2014"])
def test_a_data_set_of_its_size_is_at_most_300_jobs(
    tmp_path, snakemake, write_params, read_plan, preset
):
    write_params(tmp_path, preset)
    done = snakemake(tmp_path, "-n")
    assert done.returncode == 0, done.stdout
    assert 0 < sum(jobs for jobs, _ in read_plan(done.stdout).values()) <= 300
