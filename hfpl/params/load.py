"""Read and check ``params.yaml``; every mistake is one line that names the key."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hfpl.params.plugins import check_options
from hfpl.params.root import Params
from hfpl.params.suggest import suggest


class ParamsError(ValueError):
    """A mistake in the parameters; the message is one line a person can act on."""


def load_params(path: str | Path) -> Params:
    """Read a parameter file.

    Raises:
        ParamsError: the file is missing or not YAML, or a key is unknown, missing, of the wrong
            type or out of range. The message names the file, the key and what to do.
    """
    return validate_params(read_yaml(path), source=str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (``1e-4`` is a number, ``off`` a word, a key twice an error)."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: no such file; write one with 'hfpl params PRESET --out {path}'"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read: {error}") from None
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {_one_line(str(error))}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected sections with keys, found {type(content).__name__}")
    return content


def validate_params(content: dict[str, Any], source: str = "params") -> Params:
    """Check the content of a parameter file.

    Raises:
        ParamsError: as :func:`load_params`; ``source`` opens the message.
    """
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        first = _first_error(error)
        raise ParamsError(f"{source}: {_explain(first, content)}") from None
    for message in _cross_checks(params):
        raise ParamsError(f"{source}: {message}")
    return params


def _first_error(error: ValidationError) -> ErrorDetails:
    """Unknown keys come first: a misspelt key is also reported as a missing one."""
    errors = error.errors()
    return next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])


def _explain(error: ErrorDetails, content: dict[str, Any]) -> str:
    # pydantic puts the discriminator's value (a format, an optimiser) into the location.
    keys = _keys_of(error["loc"], content)
    key = ".".join(keys)
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{suggest(keys[-1], _known_keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{key}: missing; add it ('hfpl params PRESET' writes every key)"
    message = _one_line(error["msg"]).removeprefix("Value error, ")
    shown = f", found {error['input']!r}"[:80] if not isinstance(error["input"], dict) else ""
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _keys_of(location: tuple[int | str, ...], content: Any) -> list[str]:
    keys = []
    for number, part in enumerate(location):
        in_mapping = isinstance(content, dict) and part in content
        in_list = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if in_mapping or in_list:
            content = content[part]
        elif number < len(location) - 1:
            continue
        keys.append(str(part))
    return keys


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at a pydantic error location, read from the JSON schema."""
    schema = Params.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        node = _resolve(node, schema)
        if "discriminator" in node:
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


def _cross_checks(params: Params) -> list[str]:
    """Mistakes that no single key shows."""
    found = []
    if params.dataset not in params.datasets:
        found.append(
            f"dataset: '{params.dataset}' is not in datasets"
            + suggest(params.dataset, list(params.datasets))
        )
    if params.variant not in params.variants:
        found.append(
            f"variant: '{params.variant}' is not in variants"
            + suggest(params.variant, list(params.variants))
        )
    found += check_options(
        "network.backbone",
        "hfpl.networks.backbones",
        params.network.backbone,
        "network.options",
        params.network.options,
    )
    for name, variant in params.variants.items():
        method = variant.method
        found += check_options(
            f"variants.{name}.method",
            "hfpl.methods",
            method,
            f"cam.methods.{method}",
            params.cam.methods.get(method, {}),
        )
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())
