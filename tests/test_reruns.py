"""The table of what runs again: the docs hold it, and it says what each job's parameters say."""

from pathlib import Path

from hfpl.cli.reruns import describe_reruns, following, rerun_rows
from hfpl.params.load import load_params
from hfpl.pipeline import JOBS, STAGES


def test_the_docs_hold_the_table_of_the_demo(repository: Path):
    params = load_params(repository / "params.yaml")
    assert (repository / "docs" / "reruns.md").read_text(encoding="utf-8") == describe_reruns(
        params
    )


def test_every_key_of_every_job_is_in_one_row(repository: Path):
    params = load_params(repository / "params.yaml")
    rows = rerun_rows(params)
    for name, job in JOBS.items():
        for key in map(params.file_key, job.values(params) if job.when(params) else ()):
            (jobs,) = (
                jobs
                for row, jobs in rows
                if row == key or (row.endswith(".*") and key.startswith(row[:-1]))
            )
            assert name in jobs


def test_what_follows_a_stage():
    assert following({"review"}) == set()
    assert following({"data"}) == set(STAGES) - {"data", "pretrain"}
    assert following({"pretrain"}) == set(STAGES) - {"data", "pretrain"}
    assert following({"affinity", "segment"}) == {"walk", "evaluate", "report", "review"}
    assert following({"affinity"}, ["pretrain", "affinity", "walk"]) == {"walk"}
    assert list(STAGES) == ["data", "pretrain", "cam", "pseudo", "affinity", "walk", "segment",
                            "evaluate", "report", "review"]  # fmt: skip
