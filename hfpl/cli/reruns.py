"""Which stages run again when a parameter changes: the table of ``docs/reruns.md``."""

from collections.abc import Sequence

from hfpl.params.root import Params
from hfpl.pipeline import JOBS, STAGES, jobs_of, stages_of

HEAD = """# What runs again

When a value of `params.yaml` changes, what uses it runs again, and what depends on its results;
nothing else does. Written by `hfpl params --reruns` for the parameters of the demo; a test changes
every value of a run and asks Snakemake. Values of other data sets and variants than the chosen
ones, and values that have no effect under the others (`cam.isl` in a variant without ISL), re-run
nothing.

● the stage runs again, or the step of it that is named · ○ its inputs have changed

"""


def rerun_rows(params: Params) -> list[tuple[str, frozenset[str]]]:
    """Keys with the jobs that use them; a section is one row where all its keys are used alike."""
    used: dict[str, set[str]] = {}
    for key in _leaves(params.model_dump(mode="json")):
        used[key] = set()
    for name, job in JOBS.items():
        if job.when(params):
            for key in job.values(params):
                used.setdefault(params.file_key(key), set()).add(name)
    return _grouped(list(used.items()), 0)


def following(stages: set[str], among: Sequence[str] = STAGES) -> set[str]:
    """Stages, of those there are, whose inputs change when others run again."""
    first = min(map(among.index, stages))
    return set(among[first + 1 :]) - stages - {"pretrain"}


def describe_reruns(params: Params) -> str:
    """Markdown: a row per key or section, a column per stage."""
    stages = stages_of(params)
    lines = [f"| key | {' | '.join(stages)} |", "|---|" + ":---:|" * len(stages)]
    for key, jobs in rerun_rows(params):
        if not jobs:
            continue
        direct = {JOBS[job].stage for job in jobs}
        later = following(direct, stages)
        cells = ["○" if stage in later else _steps(stage, jobs) for stage in stages]
        lines.append(f"| `{key}` | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def _steps(stage: str, jobs: frozenset[str]) -> str:
    """The steps of a stage that use a key, ``●`` for all of them."""
    own = jobs_of(stage)
    using = [job for job in own if job.name in jobs]
    if not using:
        return ""
    return "●" if using == own else ", ".join(job.step for job in using)


def _leaves(node: object, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [prefix]
    dot = "." if prefix else ""
    return [leaf for name, value in node.items() for leaf in _leaves(value, f"{prefix}{dot}{name}")]


def _grouped(items: list[tuple[str, set[str]]], depth: int) -> list[tuple[str, frozenset[str]]]:
    rows = []
    while items:
        head = items[0][0].split(".")[: depth + 1]
        prefix = ".".join(head)
        inside = [i for i in items if i[0] == prefix or i[0].startswith(prefix + ".")]
        items = [i for i in items if i not in inside]
        if all(jobs == inside[0][1] for _, jobs in inside):
            name = prefix if inside[0][0] == prefix else f"{prefix}.*"
            rows.append((name, frozenset(inside[0][1])))
        else:
            rows += _grouped(inside, depth + 1)
    return rows
