"""The record of the jobs' code: what was edited since, and whether that changed results."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePath

from hfpl.jobs.code import (
    RECORD,
    Recorded,
    code_digest,
    module_of,
    modules_behind,
    record,
    record_text,
)
from hfpl.pipeline import JOBS
from hfpl.sections.plugins import plugin_names
from hfpl.sections.suggest import suggest
from hfpl.storage.atomic import write_text

KINDS = ("backbones", "formats", "methods", "metrics", "refiners")
"""Packages of plug-ins that jobs load by name."""


def units() -> dict[str, str]:
    """Every job and plug-in of the record → its module."""
    jobs = {name: job.function.partition(":")[0] for name, job in JOBS.items()}
    plugins = (f"{kind}/{n}" for kind in KINDS for n in plugin_names(f"hfpl.plugins.{kind}"))
    return {**jobs, **{unit: module_of(unit) for unit in plugins}}


def edited() -> list[str]:
    """Jobs and plug-ins whose code is not the recorded one."""
    known = record()
    return [
        unit
        for unit, module in units().items()
        if unit not in known or known[unit].digest != code_digest(module)
    ]


def raise_versions(names: Iterable[str]) -> list[str]:
    """Record the code of now under a new version, so that results are made again.

    Raises:
        ValueError: no such job or plug-in.
    """
    every, known = units(), dict(record())
    names = list(names)
    for name in names:
        if name not in every:
            ends = [unit for unit in every if unit.endswith(f"/{name}")]
            hint = f"; did you mean '{ends[0]}'?" if ends else suggest(name, every)
            raise ValueError(f"{name}: no job or plug-in{hint}")
        version = known[name].version + 1 if name in known else 1
        known[name] = Recorded(version, code_digest(every[name]))
    _write({unit: known[unit] for unit in every if unit in known})
    return names


def accept(trusted: Collection[str] = ()) -> list[str]:
    """Record the code of now under the versions of before, if micro runs give the same bytes.

    Outputs of jobs with a new version may differ; what others make of them may not.

    Args:
        trusted: of what micro does not run, jobs and plug-ins whose results somebody says are the
            same.

    Raises:
        ValueError: results differ, or micro does not run what was edited.
    """
    changed, every, known = edited(), units(), dict(record())
    new = [unit for unit in changed if unit not in known]
    if new:
        raise ValueError(f"{new[0]}: not in the record yet; 'hfpl code --raise {new[0]}' adds it")
    commit = _git("log", "-1", "--format=%H", "--", str(RECORD)).strip()
    if not commit:
        raise ValueError(f"{RECORD}: in no commit, so there is nothing to compare with")
    variants = _variants_for(changed, _edited_modules(commit), trusted)
    edited_metrics = {unit.removeprefix("metrics/") for unit in changed if "metrics/" in unit}
    metrics = ", ".join(dict.fromkeys(["miou", "contour_f", *sorted(edited_metrics)]))
    with tempfile.TemporaryDirectory() as folder:
        before, now = Path(folder) / "before", Path(folder) / "now"
        _git("worktree", "add", "--quiet", "--detach", str(before), commit)
        try:
            for variant in variants:
                raised = _outputs(_raised(before / RECORD.relative_to(RECORD.parents[1]), known))
                found = [
                    _micro(code, now / name, variant, metrics)
                    for name, code in (("1", before), ("2", RECORD.parents[1]))
                ]
                differing = sorted(
                    path
                    for path, digest in found[1].items()
                    if found[0].get(path) != digest and not _matches(path, raised)
                )
                if differing:
                    raise ValueError(
                        f"{differing[0]} of variant {variant} differs from that of {commit[:12]}; "
                        "'hfpl code --raise' what changes results, of " + ", ".join(changed)
                    )
        finally:
            _git("worktree", "remove", "--force", str(before))
    for unit in changed:
        known[unit] = Recorded(known[unit].version, code_digest(every[unit]))
    _write(known)
    return changed


def _raised(before: Path, known: Mapping[str, Recorded]) -> list[str]:
    """Jobs whose version is not that of another checkout's record."""
    versions = {unit: entry.version for unit, entry in record(before).items()}
    return [name for name in JOBS if name in known and versions.get(name) != known[name].version]


def _outputs(jobs: Iterable[str]) -> list[str]:
    """Patterns of the paths of jobs' outputs, below a data set's folder of results."""
    files = [file for name in jobs for file in JOBS[name].outputs]
    return [re.sub(r"\{.*?\}", "*", file.path) for file in files if isinstance(file.path, str)]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path, f"results/*/{pattern}") for pattern in patterns)


def _edited_modules(commit: str) -> set[str]:
    """Modules of the package whose files differ from a commit's."""
    top = Path(_git("rev-parse", "--show-toplevel").strip())
    files = _git("-C", str(top), "diff", "--name-only", "-z", commit, "--", str(RECORD.parent))
    stems = (PurePath(name).with_suffix("") for name in files.split("\0") if name.endswith(".py"))
    parts = (stem.parent if stem.name == "__init__" else stem for stem in stems)
    return {".".join(part.parts) for part in parts}


def _variants_for(changed: Iterable[str], modules: set[str], trusted: Collection[str]) -> list[str]:
    """Variants of micro that run what was edited.

    A unit that micro does not run counts as run where all that was edited of it, ``modules`` among
    what it imports, is behind a unit that micro does run.

    Raises:
        ValueError: no variant of micro does.
    """
    variants, every = ["seam-isl-fsl"], units()
    run = {*_RUN_BY_MICRO, *JOBS} - {"data_download"}
    tried = {name for unit in run for name in modules_behind(every[unit])}
    for unit in changed:
        kind, _, name = unit.partition("/")
        if kind == "methods" and name != "seam":
            variants.append(f"{name}-isl-fsl")
        elif kind != "metrics" and unit not in {*run, *trusted}:
            own = modules & set(modules_behind(every[unit]))
            if not own or own - tried:
                raise ValueError(
                    f"{unit}: micro does not run it; '--raise {unit}', or '--trust {unit}' where "
                    "something else shows that its results are the same"
                )
    return variants


_RUN_BY_MICRO = ("backbones/small", "methods/seam", "formats/shapes", "refiners/crf")


def _micro(code: Path, folder: Path, variant: str, metrics: str) -> dict[str, str]:
    """Digest of every result of a micro run with the code of a checkout, by path."""
    folder = folder / variant
    folder.mkdir(parents=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    print(f"micro run of {variant} with the code in {code}", file=sys.stderr, flush=True)
    settings = [f"variant={variant}", f"evaluate.metrics=[{metrics}]"]
    words = [word for setting in settings for word in ("--set", setting)]
    # Each code has its own preset: there may be other parameters by now.
    _run_with(code, folder, path, ["hfpl.cli.launcher", "0", "params", "micro", *words])
    snakefile = str(code / "workflow" / "Snakefile")
    _run_with(code, folder, path, ["snakemake", "-s", snakefile, "-d", str(folder),
                                   "--cores", "2", "--quiet", "all"])  # fmt: skip
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file() and "logs" not in path.parts
    }


def _run_with(code: Path, folder: Path, path: str, module: list[str]) -> None:
    """Run a module with the code of a checkout."""
    done = subprocess.run(
        [sys.executable, "-m", *module],
        # Not from a checkout: 'python -m' would take hfpl from there.
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(code), "PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"the micro run with the code in {code} fails: {done.stderr[-500:]}")


def _write(entries: Mapping[str, Recorded]) -> None:
    write_text(RECORD, record_text(entries))
    record.cache_clear()


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=RECORD.parent, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise ValueError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
