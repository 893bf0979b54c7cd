"""``dvc.yaml``, generated from the rules: one DVC stage per stage of the pipeline."""

import io
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hfpl.params.active import JOBS, active_params
from hfpl.params.reruns import STAGES, stage_of
from hfpl.params.root import Params
from hfpl.provenance import job_key
from hfpl.versioning.facts import Output
from hfpl.versioning.objects import out_options, read_stages
from hfpl.versioning.records import RECORD

CODE = "code.yaml"
"""Digest of each job's code, as DVC's parameters: comments in a module re-run nothing."""

HEAD = """# Written by 'hfpl dvc write' from the rules in workflow/; edit those.
# 'dvc repro' and 'snakemake --cores all' make the same.
"""


def dvc_yaml(params: Params, outputs: Sequence[Output], local: Collection[str] = ()) -> str:
    """Content of ``dvc.yaml`` for the chosen data set and variant.

    Args:
        local: stages whose per-image results are not pushed.
    """
    stages = {"code": _code_stage()}
    made = {output.path: output.stage for output in outputs}
    for stage in STAGES:
        own = [output for output in outputs if output.stage == stage]
        if own:
            stages[stage] = _stage(stage, own, made, params, local)
    content: dict[str, Any] = {"stages": stages}
    content["plots"] = _plots(outputs)
    return HEAD + _dumped(content)


def code_yaml(params: Params) -> str:
    """Content of ``code.yaml``: job → digest of its code."""
    return _dumped({job: job_key(params, job)["code"] for job in JOBS})


def _code_stage() -> dict[str, Any]:
    return {
        "desc": "digests of the code of every job",
        "cmd": "hfpl dvc code",
        "deps": ["hfpl"],
        "params": ["dataset", "variant", "datasets", "variants", "network.backbone"],
        "outs": [{CODE: {"cache": False}}],
    }


def _stage(
    stage: str,
    own: Sequence[Output],
    made: dict[str, str],
    params: Params,
    local: Collection[str],
) -> dict[str, Any]:
    inputs = {path for output in own for path in output.inputs}
    jobs = [job for job in JOBS if stage_of(job) == stage and _runs(job, own)]
    keys = sorted({key for job in jobs for key in active_params(params, job)})
    metrics = [output.path for output in own if output.path.endswith("/metrics.json")]
    outs: list[Any] = [
        {output.path: {"push": False}} if is_local(output, local) else output.path
        for output in own
        if output.path not in metrics
    ]
    outs.append(f"{own[0].path.rpartition('/')[0]}/{RECORD}")
    content: dict[str, Any] = {
        "cmd": f"hfpl dvc run {stage}",
        "deps": sorted(path for path in inputs if made.get(path) != stage) + _root(stage, params),
        "params": [*keys, {CODE: jobs}],
        "outs": outs,
    }
    if metrics:
        content["metrics"] = metrics
    return {name: value for name, value in content.items() if value}


def is_local(output: Output, local: Collection[str]) -> bool:
    """Whether a result stays where it was made: per-image results of the stages named so."""
    return output.stage in local and output.path.endswith(".zip")


def local_stages(declaration: Path) -> list[str]:
    """Stages of a ``dvc.yaml`` that have results which are not pushed; none without the file.

    The choice stands there alone: it changes no result, so it is no parameter.
    """
    if not declaration.is_file():
        return []
    return [
        name
        for name, stage in read_stages(declaration).items()
        if any(options.get("push") is False for options in out_options(stage).values())
    ]


def _root(stage: str, params: Params) -> list[str]:
    root = getattr(params.datasets[params.dataset], "root", None)
    return [root] if stage == "data" and root else []


def _runs(job: str, own: Iterable[Output]) -> bool:
    """Whether a job has outputs in the plan; rules and jobs differ in a plural alone."""
    return any(output.rule in (job, f"{job}s") for output in own)


def _plots(outputs: Sequence[Output]) -> list[Any]:
    """Training losses over steps; the report's pictures are shown as they are."""
    histories = [o.path for o in outputs if o.path.endswith("/history.csv")]
    lines = [{path: {"x": "step", "y": "total", "title": f"{_stage_name(path)}: total loss"}}
             for path in histories]  # fmt: skip
    return [*lines, *(o.path for o in outputs if o.path.endswith(".png"))]


def _stage_name(path: str) -> str:
    return path.split("/")[-2]


def _dumped(content: Any) -> str:
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    yaml.dump(content, buffer)
    return buffer.getvalue()
