"""Plug-ins are files: which there are, and which options their ``build`` takes.

Read from the source without importing it, so that checking parameters stays fast and a
workflow's dry run loads no torch.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from hfpl.sections import section as words
from hfpl.sections.refined import Refined
from hfpl.sections.suggest import suggest


def plugin_names(package: str) -> list[str]:
    """Names of the modules in a package that define ``build``, sorted."""
    return sorted(name for name, options in _scan(package).items() if options is not None)


def check_name(key: str, package: str, name: str) -> list[str]:
    """Messages for a name that no plug-in of a package has."""
    known = plugin_names(package)
    if name in known:
        return []
    return [f"{key}: no file '{name}.py' in {package.replace('.', '/')}{suggest(name, known)}"]


def check_options(
    key: str, package: str, name: str, options_key: str, options: Mapping[str, object]
) -> list[str]:
    """Messages for an unknown plug-in name, and for unknown or missing options of its build."""
    if unknown := check_name(key, package, name):
        return unknown
    required = _scan(package)[name] or {}
    unknown = [o for o in options if o not in required]
    missing = [o for o in required if o not in options]
    wrong = [o for o in options if o in required and not _fits(options[o], required[o])]
    return [
        *(f"{options_key}.{o}: unknown option of '{name}'{suggest(o, required)}" for o in unknown),
        *(f"{options_key}.{o}: missing; '{name}' needs {_shown(required[o])}" for o in missing),
        *(f"{options_key}.{o}: {_why_not(options[o], required[o])}" for o in wrong),
    ]


def check_refiner(key: str, section: Refined) -> list[str]:
    """Messages for a section's refiner and its options, and for keys beside them that are neither.

    Args:
        key: of the section, such as ``pseudo``.
    """
    package = "hfpl.plugins.refiners"
    known, others = plugin_names(package), section.model_extra or {}
    found = [
        f"{key}.{name}: unknown key{suggest(name, {*type(section).model_fields, *known})}"
        for name in others
        if name not in known
    ]
    found += [
        f"{key}.{name}: expected a section of its options, found {options!r}"
        for name, options in others.items()
        if name in known and not isinstance(options, dict)
    ]
    name = section.refiner
    options = section.model_dump().get(name, {}) if name in known else {}
    return found or check_options(f"{key}.refiner", package, name, f"{key}.{name}", options)


@cache
def option_help(package: str, name: str) -> dict[str, str]:
    """Option of a plug-in's ``build`` → what the docstring of ``build`` says of it, in a line."""
    tree = _tree(package, name)
    if tree is None:
        return {}
    builds = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "build")
    arguments = (ast.get_docstring(next(builds)) or "").partition("Args:")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE)
    return {option: " ".join(text.split()).rstrip(".") for option, text in found}


@cache
def constant(package: str, name: str, wanted: str) -> Any:
    """A constant of a plug-in's file, written as a literal there; None where it has none."""
    tree = _tree(package, name)
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == wanted:
            return ast.literal_eval(node.value)
    return None


def _tree(package: str, name: str) -> ast.Module | None:
    """Source of a plug-in, parsed; None where there is no such file."""
    folder = Path(next(iter(find_spec(package).submodule_search_locations)))
    files = (folder / f"{name}.py", folder / name / "__init__.py")
    file = next((file for file in files if file.is_file()), None)
    return ast.parse(file.read_text(encoding="utf-8")) if file else None


@cache
def _scan(package: str) -> dict[str, dict[str, str] | None]:
    """For each module of a package, the keyword-only arguments of its ``build`` and their types."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found: dict[str, dict[str, str] | None] = {}
    for folder in folders or []:
        for file in sorted(
            [*Path(folder).glob("[!_]*.py"), *Path(folder).glob("[!_]*/__init__.py")]
        ):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            name = file.parent.name if file.stem == "__init__" else file.stem
            found[name] = next(
                (
                    _options(node)
                    for node in tree.body
                    if isinstance(node, ast.FunctionDef) and node.name == "build"
                ),
                None,
            )
    return found


def _fits(value: object, annotation: str) -> bool:
    """Whether a value has the type of an annotation, as far as its words are known here."""
    return not _why_not(value, annotation)


def _shown(annotation: str) -> str:
    return "it" if "[" in annotation else annotation


def _why_not(value: object, annotation: str) -> str:
    """Why a value has not the type of an annotation, in words; empty where it has."""
    kind = _type_of(annotation)
    try:
        if kind:
            kind.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        why = f"should be {annotation}" if annotation in _TYPES else first["msg"].lower()
        return f"{why.removeprefix('input ')}, found {value!r}"[:200]
    return ""


@cache
def _type_of(annotation: str) -> TypeAdapter | None:
    """The type that an annotation of a plug-in's ``build`` names; None for one of its own, which
    its ``build`` checks."""
    try:
        # The code of a plug-in, which runs anyway; nothing of a parameter file comes here.
        kind = eval(annotation, {"__builtins__": {}}, _WORDS)
        return TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))
    except (NameError, SyntaxError):
        return None


_TYPES = {"bool": bool, "int": int, "float": float, "str": str}
_WORDS = {
    **_TYPES,
    **{"list": list, "Annotated": Annotated, "Literal": Literal, "Field": Field},
    **{name: value for name, value in vars(words).items() if name[0].isupper()},
}


def _options(build: ast.FunctionDef) -> dict[str, str]:
    return {
        argument.arg: ast.unparse(argument.annotation) if argument.annotation else "a value"
        for argument in build.args.kwonlyargs
    }
