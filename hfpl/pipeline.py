"""All jobs of the pipeline, in the order of its stages."""

from collections.abc import Iterator

from hfpl.jobs.job import Job, Made
from hfpl.params.root import Params
from hfpl.stages.affinity import job as affinity
from hfpl.stages.cam import job as cam
from hfpl.stages.data import job as data
from hfpl.stages.evaluate import job as evaluate
from hfpl.stages.pretrain import job as pretrain
from hfpl.stages.pseudo import job as pseudo
from hfpl.stages.report import job as report
from hfpl.stages.review import job as review
from hfpl.stages.segment import job as segment
from hfpl.stages.walk import job as walk

_IN_ORDER = (data, pretrain, cam, pseudo, affinity, walk, segment, evaluate, report, review)
JOBS: dict[str, Job] = {job.name: job for stage in _IN_ORDER for job in stage.JOBS}
"""Name → job."""
STAGES: tuple[str, ...] = tuple(dict.fromkeys(job.stage for job in JOBS.values()))
"""The stages in their order; each depends on all before it, but data and pretrain on none."""


def jobs_of(stage: str) -> list[Job]:
    """Jobs of a stage."""
    return [job for job in JOBS.values() if job.stage == stage]


def stages_of(params: Params) -> tuple[str, ...]:
    """The stages that a run with these parameters has."""
    return tuple(s for s in STAGES if any(job.when(params) for job in jobs_of(s)))


def made_by(params: Params, common: str) -> Iterator[Made]:
    """Every run of every job, for the data set and variant that the parameters choose."""
    for job in JOBS.values():
        yield from job.made(params, common)


def targets(params: Params, common: str) -> list[str]:
    """What a run is for: the table of scores, the pictures, the model for new photographs, and of
    people's own which of them to look at."""
    wanted = [JOBS[name] for name in ("segment_model", "evaluate_table", "report", "review_list")]
    return [path for job in wanted for made in job.made(params, common) for path in made.outputs]
