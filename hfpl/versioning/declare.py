"""``dvc.yaml``, written from the jobs' declarations: a DVC stage per stage of the pipeline."""

import io
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from hfpl.jobs.job import Made
from hfpl.params.root import Params
from hfpl.pipeline import JOBS, STAGES, made_by
from hfpl.versioning.objects import out_options, read_stages
from hfpl.versioning.records import RECORD

RESULTS = "results"
"""Folder of all results: what DVC keeps lies where the default says."""
CODE = "versions.yaml"
"""Version of each job's code, or its digest where somebody edited it, as DVC's parameters."""

HEAD = """# Written by 'hfpl dvc write' from the jobs in hfpl/stages/*/job.py and from params.yaml.
# 'dvc repro' and 'snakemake --cores all' make the same. A stage depends on the records of
# the stages that it reads: a record holds the hash of every result of its stage.
"""


def dvc_yaml(params: Params, local: Collection[str] = ()) -> str:
    """Content of ``dvc.yaml`` for the chosen data set and variant.

    Args:
        local: stages whose per-image results are not pushed.
    """
    made = list(made_by(params, f"{RESULTS}/{params.dataset}"))
    stages: dict[str, Any] = {
        "code": {"cmd": "hfpl dvc code", "deps": ["hfpl"], "outs": [{CODE: {"cache": False}}]}
    }
    for stage in STAGES:
        own = [one for one in made if one.job.stage == stage]
        if own:
            stages[stage] = _stage(stage, own, made, params, local)
    text = _dumped({"stages": stages, "plots": _plots(made)})
    return HEAD + _templated(text, params)


def code_yaml(params: Params) -> str:
    """Content of ``versions.yaml``: job → version or digest of its code."""
    codes = {name: job.key(params)["code"] for name, job in JOBS.items() if job.when(params)}
    return _dumped(codes, width=1000)


def results_of(params: Params, results: str = RESULTS) -> list[tuple[str, str]]:
    """Path and stage of every result of a run, sorted."""
    found = (
        (path, one)
        for one in made_by(params, f"{results}/{params.dataset}")
        for path in one.outputs
    )
    return sorted((path, one.job.stage) for path, one in found)


def _stage(
    stage: str, own: list[Made], made: list[Made], params: Params, local: Collection[str]
) -> dict[str, Any]:
    jobs = list(dict.fromkeys(one.job.name for one in own))
    outputs = sorted(path for one in own for path in one.outputs)
    metrics = [path for path in outputs if path.endswith("/metrics.json")]
    outs: list[Any] = [
        {path: {"push": False}} if is_local(path, stage, local) else path
        for path in outputs
        if path not in metrics
    ]
    outs.append(_record(outputs[0]))
    content: dict[str, Any] = {
        "cmd": f"hfpl dvc run {stage}",
        "deps": list(_dependencies(stage, own, made, params)),
        "params": _in_a_line([*_sections(jobs, params), {CODE: jobs}]),
        "outs": outs,
    }
    if metrics:
        content["metrics"] = metrics
    return {name: value for name, value in content.items() if value}


def _dependencies(stage: str, own: list[Made], made: list[Made], params: Params) -> Iterator[str]:
    """Records of the stages that a stage reads, and files and folders that no stage makes."""
    maker = {path: one.job.stage for one in made for path in one.outputs}
    inputs = sorted({path for one in own for path in one.inputs} | _archives(own, made))
    found = (
        _record(path) if path in maker else path for path in inputs if maker.get(path) != stage
    )
    yield from dict.fromkeys(found)
    root = getattr(params.chosen_dataset, "root", None)
    if stage == "data" and root:
        yield root


def _archives(own: list[Made], made: list[Made]) -> set[str]:
    """The zip of the data set, where jobs read its images."""
    reads = any(one.job.images for one in own)
    return {
        path for one in made if reads and one.job.name == "data_archive" for path in one.outputs
    }


def _record(path: str) -> str:
    return f"{path.rpartition('/')[0]}/{RECORD}"


def _sections(jobs: Iterable[str], params: Params) -> list[str]:
    """Keys of params.yaml that jobs declare, the sections that hold others in their place."""
    declared = {params.file_key(key) for name in jobs for key in JOBS[name].reads(params)}
    present = {key for key in declared if _holds(params.content, key)}
    return sorted(
        key for key in present if not any(key.startswith(f"{other}.") for other in present)
    )


def _holds(content: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def _templated(text: str, params: Params) -> str:
    """The names of data set and variant as DVC takes them from params.yaml."""
    common = f"{RESULTS}/{params.dataset}/"
    text = text.replace(f"{common}{params.variant}/", f"{RESULTS}/${{dataset}}/${{variant}}/")
    text = text.replace(common, f"{RESULTS}/${{dataset}}/")
    for table, name in (("dataset", params.dataset), ("variant", params.variant)):
        # Quoted, because a brace ends a word within brackets.
        text = re.sub(rf"\b{table}s\.{name}\b([a-z_.]*)", rf'"{table}s.${{{table}}}\1"', text)
    return text


def is_local(path: str, stage: str, local: Collection[str]) -> bool:
    """Whether a result stays where it was made: per-image results of the stages named so."""
    return stage in local and path.endswith(".zip")


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


def _plots(made: list[Made]) -> list[Any]:
    """Training losses over steps; the report's pictures are shown as they are."""
    lines = [
        {path: {"x": "step", "y": "total", "title": f"{one.job.stage}: total loss"}}
        for one in made
        for path in one.outputs
        if path.endswith("/history.csv")
    ]
    pictures = [path for one in made for path in one.outputs if path.endswith(".png")]
    return [*lines, *pictures]


def _in_a_line(items: list[Any]) -> CommentedSeq:
    """A list that YAML shows in as few lines as it takes."""
    found = CommentedSeq(items)
    found.fa.set_flow_style()
    return found


def _dumped(content: Any, width: int = 98) -> str:
    yaml = YAML()
    yaml.width = width
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    yaml.dump(content, buffer)
    return buffer.getvalue()
