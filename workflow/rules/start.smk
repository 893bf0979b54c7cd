# What a run finds when it starts.
#
# A run that was killed leaves Snakemake's lock behind. Every run holds a lock of its own that goes
# with its process; where nobody holds one, Snakemake's is left over and removed. So the command
# that started a run also goes on with it.

import fcntl

from snakemake_interface_executor_plugins.settings import ExecMode

from hfpl.jobs.alone import RUN_LOCK
from hfpl.versioning.records import settle


def settle_results():
    """Take results that DVC has brought for what their records say, others for unknown."""
    settled = settle(Path(SETTINGS["results"]))
    if settled.restored:
        logger.info(f"{len(settled.restored)} results came with the record of their making.")
    if settled.unknown:
        logger.info(
            f"{len(settled.unknown)} results were not made by a run here and have no record, such as "
            f"{settled.unknown[0]}: they are made again; 'snakemake --touch' would trust them."
        )


def hold_mark():
    """Clear up a working directory in which no run is at work; the mark of this run, to be kept."""
    try:
        RUN_LOCK.parent.mkdir(exist_ok=True)
        mark = RUN_LOCK.open("w")
    except OSError:
        return None  # A folder that cannot be written to can still be planned in.
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left = list((RUN_LOCK.parent / "locks").glob("*.lock"))
        for lock in left:
            lock.unlink()
        if left:
            logger.info("The last run here was killed: its lock is removed.")
        settle_results()
    except BlockingIOError:
        pass  # another run, or a plan, is at work here
    fcntl.flock(mark, fcntl.LOCK_SH)
    return mark


if workflow.exec_mode == ExecMode.DEFAULT:
    RUN_MARK = hold_mark()
