"""Turn a validation error into one line that names the key and what to do."""

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hfpl.params.grid import with_rows
from hfpl.params.root import Params
from hfpl.sections.suggest import suggest, suggest_near


def explain(error: ValidationError, content: dict[str, Any]) -> str:
    """The line about the first error; content is the checked file's.

    Unknown keys come first: a misspelt key is also reported as a missing one.
    """
    errors = error.errors()
    return _line(next((e for e in errors if e["type"] == "extra_forbidden"), errors[0]), content)


def one_line(text: str) -> str:
    """Text with every run of white space as one space."""
    return " ".join(text.split())


def _line(error: ErrorDetails, content: dict[str, Any]) -> str:
    absent = error["type"] in ("extra_forbidden", "missing")
    keys = _keys_of(error["loc"], content, keep_last=absent)
    key = ".".join(keys)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{suggest(keys[-1], _known_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        for other in _misspelt(error["loc"], keys, content):
            return f"{'.'.join([*keys[:-1], other])}: unknown key; did you mean '{keys[-1]}'?"
        return f"{key}: missing; {_ADD}{_other_entry(keys[:-1], content)}"
    if error["type"].startswith("union_tag"):
        context = error["ctx"]
        key = f"{key}.{context['discriminator'].strip(chr(39))}"
        if error["type"] == "union_tag_not_found":
            return f"{key}: missing; {_ADD}{_other_entry(keys, content)}"
        return f"{key}: should be {context['expected_tags']}, found '{context['tag']}'"
    message = one_line(error["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict) else f", found {error['input']!r}"[:80]
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


_ADD = "add it ('hfpl params PRESET' writes every key)"


_TABLES = ("datasets", "variants")
"""Sections whose keys are names that people choose."""


def _other_entry(keys: list[str], content: dict[str, Any]) -> str:
    """The end of the line about an entry that lacks a key: its name may be a misspelt one."""
    if len(keys) != 2 or keys[0] not in _TABLES:
        return ""
    table, name = keys
    return suggest_near(name, (o for o in with_rows(content)[table] if o != name))


def _misspelt(location: tuple, keys: list[str], content: dict[str, Any]) -> list[str]:
    """The key in a missing one's section that is unknown and nearest to it, if there is one.

    Sections with options of plug-ins take any key at first.
    """
    node: Any = content
    for key in keys[:-1]:
        node = node[int(key) if isinstance(node, list) else key]
    known = _known_keys(location[:-1])
    return get_close_matches(keys[-1], [name for name in node if name not in known], 1, 0.5)


def _keys_of(location: tuple[int | str, ...], content: Any, keep_last: bool) -> list[str]:
    """Keys of the file at an error's location.

    pydantic mixes in what is no key: the tag of a chosen format, or ``[key]``.
    """
    keys = []
    for number, part in enumerate(location):
        in_mapping = isinstance(content, dict) and part in content
        in_list = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if in_mapping or in_list:
            content = content[part]
        elif not (keep_last and number == len(location) - 1):
            continue
        keys.append(str(part))
    return keys


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at a pydantic error location, read from the JSON schema."""
    schema = Params.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        node = _resolve(node, schema)
        if "anyOf" in node:
            refs = [one for one in node["anyOf"] if str(one.get("$ref")).endswith(f"/{part}")]
            node = refs[0] if refs else node
        elif "discriminator" in node:
            node = {"$ref": node["discriminator"]["mapping"][str(part)]}
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        else:
            node = node.get("additionalProperties") or next(
                iter(node.get("patternProperties", {"": {}}).values())
            )
    return list(_resolve(node, schema).get("properties", {}))


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node
