"""What a job's result depends on besides its input files: active parameters and code."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from hfpl.params.active import active_params
from hfpl.params.root import Params

_ENTRY = {
    "data_generate": "hfpl.stages.data.generate",
    "data_download": "hfpl.stages.data.download",
    "data_convert": "hfpl.stages.data.members",
    "data_index": "hfpl.stages.data.index",
    "data_masks": "hfpl.stages.data.masks",
    "pretrain": "hfpl.stages.pretrain.train",
    "cam_train": "hfpl.stages.cam.train",
    "cam_infer": "hfpl.stages.cam.infer",
    "pseudo": "hfpl.stages.pseudo.refine",
    "affinity": "hfpl.stages.affinity.train",
    "walk": "hfpl.stages.walk.label",
    "segment_train": "hfpl.stages.segment.train",
    "segment_test": "hfpl.stages.segment.test",
    "evaluate_cam": "hfpl.stages.evaluate.cams",
    "evaluate_masks": "hfpl.stages.evaluate.masks",
    "evaluate": "hfpl.stages.evaluate.table",
    "report": "hfpl.stages.report.pictures",
}
"""Module that computes each job's result; what it imports within the package counts too."""
_INDEX_ENTRY = {"folder": "hfpl.stages.data.folder"}
"""Module that indexes a data set, for the formats that have one of their own."""

_USES_METHOD = ("cam_train", "cam_infer")
_NO_BACKBONE = (
    "data_generate",
    "data_download",
    "data_convert",
    "data_index",
    "data_masks",
    "pseudo",
    "evaluate_cam",
    "evaluate_masks",
    "evaluate",
    "report",
)
_NOT_CODE = ("hfpl.params", "hfpl.sections", "hfpl.jobs", "hfpl.cli")
"""Types and bounds of parameters change no result: the values are dependencies themselves."""


def job_key(params: Params, job: str, variant: str | None = None) -> dict[str, Any]:
    """Active parameters of a job (dotted key → value) and, under ``code``, a digest of its code.

    Handed to Snakemake as one dict: it compares a rule's params as an unordered set of values.
    """
    modules = [_ENTRY[job]]
    if job == "data_convert":
        modules.append(f"hfpl.stages.data.{params.datasets[params.dataset].format}")
    if job == "data_index":
        modules = [_INDEX_ENTRY.get(params.datasets[params.dataset].format, _ENTRY[job])]
    if job not in _NO_BACKBONE:
        modules.append(f"hfpl.plugins.backbones.{params.network.backbone}")
    if job in _USES_METHOD:
        modules.append(f"hfpl.plugins.methods.{params.variants[variant or params.variant].method}")
    return {**active_params(params, job, variant), "code": code_digest(tuple(modules))}


def key_digest(key: dict[str, Any]) -> str:
    """Digest of a job's key, 16 hexadecimal digits."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def key_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two keys of a job, in words: ``cam.fsl.mu: 2.0 → 2.5``.

    Values that changed come first: where one of them switches a loss off, others are used no more.
    """
    changes, used = [], []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if name == "digest" or (name in before and name in now and old == new):
            continue
        if name in _IN_WORDS:
            changes.append(_IN_WORDS[name])
        elif name not in before:
            used.append(f"{name}: new")
        elif name not in now:
            used.append(f"{name}: no longer used")
        else:
            changes.append(f"{name}: {old} → {new}")
    return changes + used


_IN_WORDS = {"code": "its code", "content": "files of the data set"}


def file_digest(paths: Iterable[str | Path]) -> str:
    """SHA-256 over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Digest of the syntax trees of modules and of all they import within the package.

    Comments, docstrings and formatting do not count. Modules loaded by name (methods,
    backbones) count only where they are given.
    """
    trees: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in trees or module.startswith(_NOT_CODE):
            continue
        tree = _tree(module)
        if tree is None:
            continue
        trees[module] = ast.dump(tree)
        waiting += _imports(tree, module)
        waiting += [parent for parent in [module.rpartition(".")[0]] if parent]
    text = json.dumps(sorted(trees.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _tree(module: str) -> ast.Module | None:
    """Syntax tree without docstrings, or None where the name is no module (a function, say)."""
    # Not by find_spec: it would import the packages above, and torch with them.
    stem = Path(__file__).parents[1].joinpath(*module.split("."))
    file = next((f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()), None)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    """A string standing alone: a docstring, or the description below a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports(tree: ast.Module, module: str) -> list[str]:
    found = []
    stem = Path(__file__).parents[1].joinpath(*module.split("."))
    package = module if stem.is_dir() else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # "from package import name": the name may be a module of its own.
            origin = resolve_name("." * node.level + (node.module or ""), package)
            found.append(origin)
            found += [f"{origin}.{alias.name}" for alias in node.names]
    return [name for name in found if name == "hfpl" or name.startswith("hfpl.")]
