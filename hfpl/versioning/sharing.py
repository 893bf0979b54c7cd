"""Bring results of the checked-out version into the work tree, or none: pull and push.

``dvc pull`` checks out what has arrived where the rest has not, and takes what a remote sends
under the name of an object for that object. Here everything is there and is what its name says
before a file of the work tree is touched.
"""

from collections.abc import Sequence
from pathlib import Path

from hfpl.versioning.dvc import run_dvc
from hfpl.versioning.objects import Object, absent, locked_objects


def pull(remote: str | None = None, *, force: bool = False) -> str:
    """Put the results that ``dvc.lock`` names into the work tree; a line about them.

    Args:
        remote: name of a remote; None for the default one.
        force: replace results that no version holds.

    Raises:
        ValueError: not all of them can be had, or results would be lost; nothing is touched then.
    """
    objects = locked_objects()
    wanted = [found for found in objects if found.pushed]
    cache = Path(run_dvc("cache", "dir").strip())
    if absent(wanted, cache):
        run_dvc("fetch", *_named(remote))
        lost = absent(wanted, cache)
        if lost:
            raise ValueError(_lost(lost, remote))
    run_dvc("checkout", "--allow-missing", *(["--force"] if force else []))
    line = f"{len(wanted)} results are those of dvc.lock"
    local = [found for found in objects if not found.pushed and not Path(found.path).is_file()]
    if local:
        line += (
            f"; {len(local)} more are kept where they were made: a run makes them again where it "
            "needs them, 'hfpl dvc restore' makes them alone"
        )
    return line


def push(remote: str | None = None) -> str:
    """Send the results of all that ``dvc.lock`` names, and what they were computed from.

    Raises:
        ValueError: not all of them have been sent; a later call sends the rest.
    """
    output = run_dvc("push", "--run-cache", *_named(remote))
    return (output.strip().splitlines() or ["everything is up to date"])[-1]


def _lost(lost: Sequence[Object], remote: str | None) -> str:
    others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    place = f"remote '{remote}'" if remote else "the remote"
    return (
        f"{lost[0].path}{others}: {place} did not send it, or not whole; push it from a clone that "
        f"has it, once a damaged {lost[0].name} is removed there. The work tree is as it was"
    )


def _named(remote: str | None) -> list[str]:
    return ["--remote", remote] if remote else []
