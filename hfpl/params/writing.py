"""Parameters as YAML, with a comment beside each value, taken from the typed models."""

import io
import textwrap
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from hfpl.params.root import Params
from hfpl.sections.plugins import option_help

HEAD = """\
# Parameters of a run. 'hfpl params PRESET' writes this file; 'hfpl params --help' lists presets.
# Every value is here and nowhere else; docs/parameters.md has types, bounds and meanings.
"""
_COLUMN, _WIDTH = 42, 100
"""Where comments begin, after values that leave room, and where lines of values end."""


def as_yaml(content: dict[str, Any], about: str = "") -> str:
    """Text of a parameter file.

    Args:
        content: nested plain data that :class:`hfpl.params.root.Params` accepts.
        about: what the values are for; it stands above them.
    """
    lines: list[str] = []
    for key, value in content.items():
        field = Params.model_fields.get(key)
        if isinstance(value, dict):
            lines.append("")
        _entry(key, value, field, field and field.annotation, "", lines, {})
    above = "".join(f"# {line}\n" for line in about.splitlines())
    return HEAD + above + "\n".join(["", *lines, ""])


def _entry(
    key: str,
    value: Any,
    field: FieldInfo | None,
    annotation: Any,
    indent: str,
    lines: list[str],
    helps: dict[str, str],
) -> None:
    """Lines of a key and what is below it.

    Args:
        field, annotation: of the key, where a model has it.
        helps: comments of keys that no model has: options of plug-ins.
    """
    text = (field and (field.title or field.description)) or helps.get(key, "")
    if not isinstance(value, dict) or not value:
        lines += _leaf(f"{indent}{key}:", value, text, indent)
        return
    model = _model(annotation, value)
    lines.append(_line(f"{indent}{key}:", text or (_meaning(model) if model and field else "")))
    for name, inner in value.items():
        if model:
            below = model.model_fields.get(name)
            known = {} if below else _options(name, value)
            of_below = below.annotation if below else None
            helping = _options(name, value) if name == "options" else known
            _entry(name, inner, below, of_below, f"{indent}  ", lines, helping)
        elif get_origin(annotation) is dict:
            of_table = get_args(annotation)[1]
            known = option_help("hfpl.plugins.methods", name) if key == "methods" else helps
            if key == "background_score":
                known = {name: f"of {name}"}
            _entry(name, inner, None, of_table, f"{indent}  ", lines, known)
        else:
            _entry(name, inner, None, None, f"{indent}  ", lines, helps)


def _leaf(start: str, value: Any, text: str, indent: str) -> list[str]:
    """Lines of a value; one that is too long for a line has several below its key."""
    whole = f"{start} {_value(value)}"
    if len(whole) <= _WIDTH or not value:
        return [_line(whole, text)]
    if isinstance(value, list):
        return [_line(start, text), *(f"{indent}- {_value(item)}" for item in value)]
    folded = textwrap.wrap(str(value), _WIDTH - len(indent) - 2, break_long_words=False)
    return [_line(f"{start} >-", text), *(f"{indent}  {line}" for line in folded)]


def _options(name: str, section: dict[str, Any]) -> dict[str, str]:
    """Comments of a plug-in's options, which stand in a section beside the plug-in's name."""
    if name == "options":
        return option_help("hfpl.plugins.backbones", section["backbone"])
    return option_help("hfpl.plugins.refiners", name)


def _model(annotation: Any, value: dict[str, Any]) -> type[BaseModel] | None:
    """The model of a section: of a union, the one whose words fit; None of tables and options."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is dict:
        return None
    found = (_model(part, value) for part in get_args(annotation))
    models = [model for model in found if model]
    return next((model for model in models if _fits(model, value)), None)


def _fits(model: type[BaseModel], value: dict[str, Any]) -> bool:
    words = {n: f for n, f in model.model_fields.items() if get_origin(f.annotation) is Literal}
    tags = (n for n, f in words.items() if len(get_args(f.annotation)) == 1)
    return all(value.get(n) in get_args(words[n].annotation) for n in tags)


def _meaning(model: type[BaseModel]) -> str:
    """What a section is, without the end of the sentence."""
    return " ".join((model.__doc__ or "").split("\n\n")[0].split()).replace("``", "'").rstrip(".")


def _line(start: str, text: str) -> str:
    return f"{start:{_COLUMN - 1}} # {text}" if text else start


def _value(value: Any) -> str:
    """A value in a line of YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 10**6
    buffer = io.StringIO()
    yaml.dump(value, buffer)
    return buffer.getvalue().removesuffix("...\n").strip()
