"""What a person reads of a job that failed: Snakemake would show all of its command."""

import re
from signal import Signals

_COMMAND = re.compile(
    r"\w*Exception:\nCalledProcessError in file .*?\n"
    r"Command '.*?(?:hfpl|launcher \d+) (?P<job>[a-z]+(?: [a-z-]+)?) --.*' "
    r"(?:returned non-zero exit status (?P<status>\d+)|died with <Signals\.(?P<signal>\w+): \d+>)",
    re.DOTALL,
)
_SHELL = 128
"""A shell's exit status for a command that signal n ended is this and n."""


def failed_job(message: str) -> str | None:
    """What is told of a job that failed: nothing where its command has said it itself.

    None where the message is about something else.
    """
    found = _COMMAND.match(message)
    if not found:
        return None
    status = int(found["status"] or 0)
    ended = found["signal"]
    if status > _SHELL and status - _SHELL in set(Signals):
        ended = Signals(status - _SHELL).name
    if not ended:
        return ""
    why = " (by somebody, or since memory ran out)" if ended == "SIGKILL" else ""
    return f"{found['job']}: ended by {ended}{why}; the same command goes on from here"
