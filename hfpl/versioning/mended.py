"""Mistakes of Snakemake that a run here would meet, mended: each has a test that fails without."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import snakemake.api  # noqa: F401 - its other modules import each other, and find their way from here
from snakemake.dag import DAG
from snakemake.scheduling.job_scheduler import JobScheduler


def stop_from_a_thread() -> None:
    """Let a run that is asked to end (SIGTERM) end, whatever it is at.

    Snakemake's handler waits for a lock that the main thread may hold, in which handlers run: it
    would wait for ever. Another thread can wait.
    """
    stop = JobScheduler.exit_gracefully

    def asked(scheduler: JobScheduler, *arguments: Any) -> None:
        threading.Thread(target=stop, args=(scheduler, *arguments), daemon=True).start()

    if stop.__module__ != __name__:
        JobScheduler.exit_gracefully = asked


def look_behind_order() -> None:
    """Let a plan see what changed for a job itself where it only waits for one that runs.

    Snakemake looks at no job behind one that runs, since those run as well; and then does not run
    those that take its files by order alone (``ancient``). What changed for these, such as a
    parameter, would be seen by the next run (snakemake/snakemake, issue 4166).
    """
    plan = DAG.update_needrun

    async def planned(dag: DAG, *arguments: Any, **named: Any) -> None:
        follow = dag.bfs

        def bfs(direction: Any, *jobs: Any, **more: Any) -> Iterator[Any]:
            behind = _ByMoreThanOrder(direction) if direction is dag.depending else direction
            return follow(behind, *jobs, **more)

        dag.bfs = bfs
        try:
            await plan(dag, *arguments, **named)
        finally:
            del dag.bfs

    if plan.__module__ != __name__:
        DAG.update_needrun = planned


class _ByMoreThanOrder:
    """Job → jobs that take a file of it because of what is in it, and the files."""

    def __init__(self, depending: Mapping[Any, Mapping[Any, Any]]) -> None:
        self.depending = depending

    def __getitem__(self, job: Any) -> dict[Any, Any]:
        return {
            other: files
            for other, files in self.depending[job].items()
            if not all(file.is_ancient for file in files)
        }
