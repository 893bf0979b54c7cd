"""Documentation of every parameter, from the typed models."""

import types
from collections.abc import Iterable
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hfpl.params.root import Params

HEAD = """# Parameters

Every key of `params.yaml`, with type, bounds and meaning. Written by `hfpl params --describe`; the
values are in the file itself, which `hfpl params PRESET` writes.
"""


def describe_params() -> str:
    """Markdown: a table per section."""
    blocks: list[str] = []
    _describe(Params, "", blocks)
    return HEAD + "\n" + "\n".join(blocks)


def _describe(model: type[BaseModel], prefix: str, blocks: list[str]) -> None:
    rows, nested = [], []
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        models = _models(field.annotation)
        table = get_origin(field.annotation) is dict
        for inner in models:
            nested.append((inner, f"{key}.<name>." if table else f"{key}."))
        words = [p for p in get_args(field.annotation) if get_origin(p) is Literal]
        if words or not models:
            # A union with a word, too: the word is a value of the key itself.
            rows.append(f"| `{key}` | {_type(field)} | {field.description or ''} |")
    if rows:
        title = prefix.rstrip(".") or "whole run"
        meaning = " ".join((model.__doc__ or "").split("\n\n")[0].split())
        blocks.append(f"## {title}\n\n{meaning}\n\n| key | type | meaning |\n|---|---|---|")
        blocks[-1] += "\n" + "\n".join(rows) + "\n"
    for inner, inner_prefix in nested:
        _describe(inner, inner_prefix, blocks)


def _models(annotation: object) -> list[type[BaseModel]]:
    """Sections within an annotation: itself, of a union, or of a table's values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in get_args(annotation) for m in _models(part)]


def _type(field: FieldInfo) -> str:
    return _bounded(_name(field.annotation), field.metadata)


def _name(annotation: object) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(_name(parts[0]), _constraints(parts[1:]))
    if origin is Literal:
        return " or ".join(f"`{p}`" for p in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_name(p) for p in parts)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a section"
    if origin is list:
        return f"list of {_name(parts[0])}"
    if origin is dict:
        return f"table of {_name(parts[1])}"
    return {"NoneType": "null", "str": "text"}.get(annotation.__name__, annotation.__name__)


def _constraints(metadata: tuple) -> list[object]:
    return [c for m in metadata for c in (m.metadata if isinstance(m, FieldInfo) else [m])]


def _bounded(name: str, constraints: Iterable[object]) -> str:
    """A type with its bounds: ``int 1 to 1000``, ``float > 0, ≤ 16``, ``list of 1 to 16 float``."""
    found = {
        bound: value
        for bound in ("ge", "gt", "le", "lt", "min_length", "max_length")
        for constraint in constraints
        if (value := getattr(constraint, bound, None)) is not None
    }
    if name.startswith("list of ") and "max_length" in found:
        least, most = found.get("min_length", 0), found["max_length"]
        number = f"{least}" if least == most else f"{least} to {most}"
        return f"list of {number} {name.removeprefix('list of ')}"
    shown = {k: f"{v:g}" if isinstance(v, float) else f"{v}" for k, v in found.items()}
    if {"ge", "le"} <= shown.keys():
        return f"{name} {shown['ge']} to {shown['le']}"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return f"{name} {', '.join(f'{signs[k]} {v}' for k, v in shown.items() if k in signs)}".strip()
