"""Bring results of the checked-out version into the work tree, or none: pull and push.

``dvc pull`` checks out what has arrived where the rest has not, and takes what a remote sends
under the name of an object for that object. Here everything is there and is what its name says
before a file of the work tree is touched.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
        _fetch(wanted, cache, remote)
    try:
        run_dvc("checkout", "--allow-missing", *(["--force"] if force else []))
    except ValueError as error:
        if "unsaved files" not in str(error):
            raise
        raise ValueError(
            "results that were made here are of no version: 'hfpl dvc commit' keeps them, 'hfpl "
            f"dvc pull --force' replaces them: {str(error).rpartition('force. ')[2]}"
        ) from None
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
    line = (output.strip().splitlines() or ["everything is up to date"])[-1]
    if others := _status().get("uncommitted", {}).get("modified"):
        some = (
            f"{len(others)} results here are not those"
            if others[1:]
            else "1 result here is not that"
        )
        line += f"; {some} of dvc.lock: 'hfpl dvc commit' first, to send them as well"
    return line


def _fetch(wanted: Sequence[Object], cache: Path, remote: str | None) -> None:
    """Bring objects into the cache.

    Raises:
        ValueError: not all of them have come.
    """
    place = _place(remote)
    run_dvc("fetch", *_named(remote))
    lost = absent(wanted, cache)
    if not lost:
        return
    unsent = _status("--not-in-remote", *_named(remote)).get("not_in_remote", ())
    if damaged := [found for found in lost if found.path not in unsent]:
        raise ValueError(
            f"{_first(damaged)}: {place} holds a damaged {damaged[0].name}; remove it there, and "
            "push it from a clone that has it. The work tree is as it was"
        )
    # What DVC has found damaged in a folder, it has removed there.
    raise ValueError(
        f"{_first(lost)}: not, or not whole, in {place}; whoever made this version sends what is "
        "lacking with 'hfpl dvc push'. The work tree is as it was"
    )


def _first(objects: Sequence[Object]) -> str:
    others = f" and {len(objects) - 1} more" if len(objects) > 1 else ""
    return f"{objects[0].path}{others}"


def _place(remote: str | None) -> str:
    """What a remote is called, with its address.

    Raises:
        ValueError: there is none, or it is a folder that is not there.
    """
    lines = run_dvc("config", "--list").splitlines()
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    remote = remote or known.get("core.remote")
    address = known.get(f"remote.{remote}.url")
    if address is None:
        if any(key.startswith("remote.") for key in known):
            return "the remote"  # Which one, DVC says, or that it knows none of this name.
        raise ValueError(
            "no remote is configured; take the .dvc/config of whoever shared the results, or: dvc "
            "remote add -d store <folder or s3://bucket/folder>"
        )
    # As DVC does: a relative one is so to the folder of its configuration.
    if "://" not in address and not Path(".dvc", address).is_dir():
        raise ValueError(f"remote '{remote}': {address}: no such folder")
    return f"remote '{remote}' ({address})"


def _status(*options: str) -> dict[str, Any]:
    """What DVC says of the results: kind of change → files, or kinds of change."""
    return json.loads(run_dvc("data", "status", "--json", "--granular", *options))


def _named(remote: str | None) -> list[str]:
    return ["--remote", remote] if remote else []
