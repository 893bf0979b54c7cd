"""The table of what runs again: the docs hold it, and it says what each job's parameters say."""

from pathlib import Path

from hfpl.params.active import JOBS, active_params
from hfpl.params.load import load_params
from hfpl.params.reruns import STAGES, describe_reruns, following, rerun_rows, stage_of


def test_the_docs_hold_the_table_of_the_demo(repository: Path):
    params = load_params(repository / "params.yaml")
    assert (repository / "docs" / "reruns.md").read_text(encoding="utf-8") == describe_reruns(
        params
    )


def test_every_key_of_every_job_is_in_one_row(repository: Path):
    params = load_params(repository / "params.yaml")
    rows = rerun_rows(params)
    for job in JOBS:
        for key in active_params(params, job):
            (jobs,) = (
                jobs
                for row, jobs in rows
                if row == key or (row.endswith(".*") and key.startswith(row[:-1]))
            )
            assert job in jobs


def test_what_follows_a_stage():
    assert following({"report"}) == set()
    assert following({"data"}) == set(STAGES) - {"data", "pretrain"}
    assert following({"pretrain"}) == set(STAGES) - {"data", "pretrain"}
    assert following({"affinity", "segment"}) == {"walk", "evaluate", "report"}
    assert {stage_of(job) for job in JOBS} == set(STAGES)
