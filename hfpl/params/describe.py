"""Documentation of every parameter, from the typed models."""

import types
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
    bounds = " ".join(filter(None, map(_bound, field.metadata)))
    return f"{_name(field.annotation)} {bounds}".strip()


def _name(annotation: object) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = " ".join(filter(None, map(_bound, _constraints(parts[1:]))))
        return f"{_name(parts[0])} {bounds}".strip()
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


_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥",
          "max_length": "length ≤"}  # fmt: skip


def _bound(constraint: object) -> str:
    return " ".join(
        f"{sign} {getattr(constraint, name)}"
        for name, sign in _SIGNS.items()
        if getattr(constraint, name, None) is not None
    )
