# What a person reads of a run and of a plan: one line per job, and of 'snakemake -n' a table.

from snakemake_interface_logger_plugins.common import LogEvent

from hfpl.jobs.failed import failed_job, no_such_target
from hfpl.jobs.key import key_changes, recorded_key

# The scheduler's steps tell a person nothing, and no level of --quiet leaves them out without
# leaving out errors.
STEPS = (
    "Cannot restore",
    "Select jobs",
    "Execute ",
    "Using shell",
    "Singularity containers",
    "Assuming unrestricted",
)

# Quiet about these, Snakemake would not tell how many jobs are done either.
BLOCKS = (LogEvent.JOB_FINISHED, LogEvent.RESOURCES_INFO, LogEvent.RUN_INFO)

# What Snakemake says when a person stops a run.
STOPS = "Terminating processes on user request"

# What a person asks for by its name; rules of jobs have wildcards.
TARGETS = ("all", "ablation", "ablation-final")

# What a plan's table has said.
REPEATED = ("Reasons:", "Some jobs were triggered by provenance", "Rules with provenance")


def is_told(record):
    """Whether a message of Snakemake reaches a person; a plan's own are replaced by its table."""
    message = record.getMessage()
    event = getattr(record, "event", None)
    if message.startswith("Nothing to be done") and (note := missing_note(workflow.dag)):
        logger.info(note)
    if workflow.dryrun:
        if event == LogEvent.RUN_INFO:
            if not getattr(workflow, "plan_told", False):
                workflow.plan_told = True  # Snakemake itself tells it twice.
                notes = (plan_table, root_note, missing_note, ablation_note)
                told = (note(workflow.dag) for note in notes)
                logger.info("\n".join(filter(None, told)))
            return False
        if message.startswith(REPEATED):
            return False
    if event == LogEvent.PROGRESS and not counted_as_planned(workflow.dag, record):
        return False
    if message.startswith(STOPS) or getattr(workflow, "stopping", False):
        return told_of_stop(record, message)
    line = no_such_target(message, TARGETS, list(PARAMS.variants), COMMON)
    if line is not None:
        record.msg = line
        return True
    if (line := failed_job(message)) is not None:
        record.msg = line
        return bool(line)
    return event not in BLOCKS and not message.startswith(STEPS)


def told_of_stop(record, message):
    """Whether a message is told when a person stops the run: where it goes on, and no errors of the
    jobs that end with it."""
    workflow.stopping = True
    if message.startswith(STOPS):
        record.msg = "Stopping. The same command goes on from here."
    return record.levelname != "ERROR"


def counted_as_planned(dag, record):
    """Count jobs as the plan does: those that the targets need, without rules that have inputs alone
    ('all'); whether that has not been told yet."""
    if not hasattr(workflow, "planned_steps"):
        # Of --until, which makes other targets, Snakemake counts all jobs.
        wanted = dag.bfs(dag.dependencies, *dag.targetjobs)
        workflow.planned_steps = sum(bool(job.output) and dag.needrun(job) for job in wanted)
    record.total = workflow.planned_steps
    return record.done <= record.total


logger.addFilter(is_told)


def plan_table(dag):
    """Rule, number of jobs and reasons of all jobs that would run, in the order of the rules."""
    counts, reasons = {}, {}
    # Snakemake keeps jobs in a set; sorted, the same plan always reads the same.
    for job in sorted(dag.needrun_jobs(), key=lambda job: sorted(map(str, job.output))):
        counts[job.rule.name] = counts.get(job.rule.name, 0) + 1
        found = reasons.setdefault(job.rule.name, {})
        for reason in job_reasons(dag, job):
            found[reason] = None
    order = [rule.name for rule in workflow.rules if rule.name in counts and rule.output]
    rows = [("rule", "jobs", "because of")]
    rows += [(name, str(counts[name]), "; ".join(shortened(list(reasons[name])))) for name in order]
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    lines = [f"{rule:{widths[0]}}  {jobs:>{widths[1]}}  {why}" for rule, jobs, why in rows]
    total = sum(counts[name] for name in order)
    return "\n".join(["", *lines, f"{total} jobs would run"])


def root_note(dag):
    """Which folder of the data set is not there, though a job reads it; empty without any."""
    root = None if FORMAT.archived else PARAMS.chosen_dataset.root
    if not root or Path(root).exists():
        return ""
    if not any(job.rule.name in JOBS and JOBS[job.rule.name].images for job in dag.needrun_jobs()):
        return ""
    return (
        f"{CONFIG.params}: datasets.{PARAMS.dataset}.root: {root}: no such folder; "
        "put the data there, or write where they are"
    )


def missing_note(dag):
    """Which results are not there and stay so: what they were made with has not changed, and nothing
    that would run needs them."""
    rests = (job for job in dag.jobs if job.rule.name in JOBS and not dag.needrun(job))
    missing = sorted(str(file) for job in rests for file in job.output if not Path(file).exists())
    if not missing:
        return ""
    return (
        f"{len(missing)} results are not here, and nothing that would run needs them: "
        f"{', '.join(shortened(missing, 3))}; 'snakemake --cores all FILE' makes one again."
    )


def outdated_note(dag):
    """Which results of an earlier run lie here still where this one did not come to make new ones."""
    waiting = (job for job in dag.needrun_jobs() if job.rule.name in JOBS and not dag.finished(job))
    files = sorted(str(file) for job in waiting for file in job.output if Path(file).exists())
    if not files:
        return ""
    return (
        f"{len(files)} results are those of an earlier run still, and do not fit the new ones: "
        f"{', '.join(shortened(files, 3))}; run snakemake again before you take them."
    )


def job_reasons(dag, job):
    """Why a job runs, in words: first what changed for itself, then whose results it waits for."""
    reason = dag.reason(job)
    if reason.forced:
        yield "force"
    # Snakemake's own reason leaves this out where an input changes too.
    changed = workflow.persistence.params_changed(job)
    if changed:
        params = run_params(job.wildcards.get("variant"))
        keys = (recorded_key(values) for values in (changed.only_old, changed.only_new))
        yield from key_changes(
            *({params.file_key(name): value for name, value in key.items()} for key in keys)
        )
    if reason.code_changed:
        yield "its rule"
    if reason.incomplete_output:
        yield "an interrupted job"
    elif reason.missing_output:
        yield "missing results"
    if reason.input_changed:
        yield "other inputs"
    changed = reason.updated_input - reason.updated_input_run
    yield from sorted(f"{file}" for file in changed)
    if reason.updated_input_run and not reason.missing_output:
        makers = {other.rule.name for other in dag.dependencies[job] if dag.needrun(other)}
        yield from sorted(makers)


def shortened(reasons, most=4):
    rest = len(reasons) - most
    return [*reasons[:most], f"{rest} more"] if rest > 0 else reasons
