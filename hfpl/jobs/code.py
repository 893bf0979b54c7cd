"""The code of a job: its version, as long as nobody edited what was recorded with it.

``hfpl/code.yaml`` records a version of each job and each plug-in, and a digest of the syntax trees
behind it. Where today's digest is the recorded one, results depend on the version alone. Where it
is not, somebody has edited the code, and results depend on the digest until 'hfpl code' says that
they are the same, or raises the version.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

PACKAGE = Path(__file__).parents[1]
RECORD = PACKAGE / "code.yaml"

_WITHOUT_RESULTS = ("hfpl.jobs", "hfpl.params", "hfpl.sections", "hfpl.cli")
"""Packages that change no result: progress, messages and the command line; types and bounds of
parameters, whose values are dependencies themselves. Plug-ins count where a job names them."""
_DECLARING = (".job", ".params")
"""Modules of a stage that say what a job is and has, and compute nothing."""


class Recorded(NamedTuple):
    """What the record says of a job or a plug-in."""

    version: int
    digest: str


def code_of(job: str, function: str, plugins: Iterable[str]) -> str:
    """What results depend on of the code: ``cam_train 1, methods/seam 1``.

    Args:
        job: its name in the record.
        function: ``module:function`` that does it.
        plugins: modules that it loads by name.
    """
    units = {job: function.partition(":")[0], **{unit_of(module): module for module in plugins}}
    return ", ".join(f"{unit} {_state(unit, module)}" for unit, module in units.items())


def code_again(code: str, function: str) -> str:
    """:func:`code_of` of the same job and plug-ins as another one, for the code of now."""
    job, *plugins = (unit.rpartition(" ")[0] for unit in code.split(", "))
    return code_of(job, function, map(module_of, plugins))


def module_of(unit: str) -> str:
    """The module of a plug-in of the record."""
    return f"hfpl.plugins.{unit.replace('/', '.')}"


def unit_of(module: str) -> str:
    """Name of a plug-in in the record: ``methods/seam`` of ``hfpl.plugins.methods.seam``."""
    return module.removeprefix("hfpl.plugins.").replace(".", "/")


def _state(unit: str, module: str) -> str:
    digest, recorded = code_digest(module), record().get(unit)
    return str(recorded.version) if recorded and recorded.digest == digest else digest


@cache
def record(path: Path = RECORD) -> Mapping[str, Recorded]:
    """Content of the record; empty where there is none.

    Raises:
        ValueError: it is none; a merge may have left its marks there.
    """
    if not path.is_file():
        return {}
    try:
        content: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return {unit: Recorded(int(v["version"]), str(v["digest"])) for unit, v in content.items()}
    except Exception as error:
        raise ValueError(
            f"{path}: not a record of code; 'hfpl code --raise all' writes it"
        ) from error


def record_text(entries: Mapping[str, Recorded]) -> str:
    """The record as YAML, a line each, sorted, so that branches merge line by line."""
    lines = (
        f'{u}: {{version: {r.version}, digest: "{r.digest}"}}' for u, r in sorted(entries.items())
    )
    return "\n".join(["# Written by 'hfpl code'; see hfpl/jobs/code.py.", *lines, ""])


@cache
def code_digest(module: str) -> str:
    """Digest of the syntax trees of a module and of all it imports within the package.

    Comments, docstrings, formatting and the words of errors do not count, nor does what changes no
    result by where it lies. 16 hexadecimal digits.
    """
    text = json.dumps(sorted(modules_behind(module).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def modules_behind(module: str) -> Mapping[str, str]:
    """A module and all it imports within the package that counts → what counts of each."""
    trees: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in trees or name.startswith(_WITHOUT_RESULTS) or name.endswith(_DECLARING):
            continue
        tree = _tree(name)
        if tree is None:
            continue
        trees[name] = _as_text(tree)
        waiting += _imports(tree, name)
        waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
    return trees


@cache
def _tree(module: str) -> ast.Module | None:
    """Syntax tree without words for people, or None where the name is no module."""
    # Not by find_spec: it would import the packages above, and torch with them.
    stem = PACKAGE.parent.joinpath(*module.split("."))
    file = next((f for f in (stem / "__init__.py", stem.with_suffix(".py")) if f.is_file()), None)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
    return tree


def _as_text(node: object) -> str:
    """A syntax tree as text, the same on every Python.

    Without what is empty: newer ones have fields that older ones lack, and ast.dump differs too.
    """
    if isinstance(node, ast.AST):
        fields = ast.iter_fields(node)
        told = (f"{n}={_as_text(v)}" for n, v in fields if v is not None and v != [])
        return f"{type(node).__name__}({', '.join(told)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_as_text, node))}]"
    return repr(node)


def _is_text(statement: ast.stmt) -> bool:
    """A string standing alone: a docstring, or the description below a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports(tree: ast.Module, module: str) -> list[str]:
    found = []
    stem = PACKAGE.parent.joinpath(*module.split("."))
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
