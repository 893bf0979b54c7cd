"""What a person reads where Snakemake would show a job's whole command, or name no way out."""

import re
from collections.abc import Collection
from signal import Signals

from hfpl.sections.suggest import suggest

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


_NO_RULE = re.compile(
    r"MissingRuleException:\nNo rule to produce (?P<target>.+?) \(if you use ", re.S
)


def no_such_target(
    message: str, targets: Collection[str], variants: Collection[str], results: str
) -> str | None:
    """What is told of a target that nothing makes. None where the message is about something else.

    Args:
        message: as Snakemake says it.
        targets: names of what can be asked for.
        variants: names of the parameters' variants.
        results: folder of their results, which a target may name a file of.
    """
    found = _NO_RULE.match(message)
    if not found:
        return None
    target = found["target"]
    if target in variants:
        return (
            f"{target} is a variant, not a target; write 'variant: {target}' in the parameters, "
            "and run 'snakemake --cores all'"
        )
    run = target.removeprefix(f"{results}/").partition("/")[0].partition("@")[0]
    if target.startswith(f"{results}/") and run not in variants:
        return f"{target}: no variant {run}{suggest(run, variants)}"
    return f"{target}: neither a target nor a file that a job makes{suggest(target, targets)}"
