"""Which of a training's processes this one is. Without torch: commands ask before they load it."""

import os


def launched() -> bool:
    """Whether torchrun has started this process, as one of several or as the only one."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """Number of this process among all, from 0. Process 0 alone speaks and writes files."""
    return _number("RANK", 0)


def world_size() -> int:
    """Number of processes on all machines."""
    return _number("WORLD_SIZE", 1)


def local_rank() -> int:
    """Number of this process among those of its machine, which is also its GPU's."""
    return _number("LOCAL_RANK", 0)


def local_world_size() -> int:
    """Number of processes on this machine."""
    return _number("LOCAL_WORLD_SIZE", 1)


def _number(variable: str, alone: int) -> int:
    # Other launchers set some of these variables for commands that know nothing of it.
    return int(os.environ[variable]) if launched() else alone
