"""Presets: whole parameter files, or a base preset with what differs from it."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import takewhile
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hfpl.params.load import ParamsError, set_value, validate_params
from hfpl.params.root import Params
from hfpl.params.writing import as_yaml
from hfpl.sections.suggest import suggest

_FOLDER = files("hfpl.params") / "presets"
_REPLACED = ("options", "sweeps", "losses")
"""Tables that a preset replaces whole instead of merging; so is an optimiser of another name."""
_LIKE = "like"
"""Key of a preset's data set: another one whose values it has, but for its own."""


def preset_names() -> list[str]:
    """Names of the presets, sorted."""
    return sorted(p.name.removesuffix(".yaml") for p in _FOLDER.iterdir() if p.name[-5:] == ".yaml")


def preset_text(name: str, settings: Iterable[str] = ()) -> str:
    """A resolved and checked parameter file as text, with a comment beside each value.

    Args:
        name: a preset.
        settings: ``section.key=value`` each, the value in YAML; they win over the preset.

    Raises:
        ParamsError: unknown preset, malformed setting, or parameters that do not hold.
    """
    content, about = _content(name)
    for setting in settings:
        _apply(content, setting)
    validate_params(content, source=f"preset {name}")
    return as_yaml(content, about)


def preset_params(name: str) -> Params:
    """The parameters of a preset.

    Raises:
        ParamsError: unknown preset.
    """
    return validate_params(_content(name)[0], source=f"preset {name}")


def _content(name: str) -> tuple[dict[str, Any], str]:
    """Content of a preset, with the data set that it runs on alone, and its opening comment."""
    content, about = _read(name)
    content["datasets"] = _chosen_dataset(content)
    return content, about


def _read(name: str) -> tuple[dict[str, Any], str]:
    """Content of a preset, merged over its bases, and the comment that opens its file."""
    if name not in preset_names():
        raise ParamsError(f"preset '{name}': unknown{suggest(name, preset_names())}")
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    content = YAML(typ="safe", pure=True).load(text)
    opening = takewhile(lambda line: line.startswith("#"), text.splitlines())
    about = "\n".join(line.removeprefix("#").strip() for line in opening)
    base = content.pop("base", None)
    if base is None:
        return content, about
    merged, _ = _read(base)
    _merge(merged, content)
    return merged, about


def _chosen_dataset(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of the data sets that a preset and its bases name, the one that it runs on."""
    name, entries = content["dataset"], content["datasets"]
    entry = dict(entries[name])
    whole = dict(entries[entry.pop(_LIKE)]) if _LIKE in entry else {}
    return {name: {**whole, **entry}}


def _merge(target: Any, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        mergeable = isinstance(value, Mapping) and isinstance(target.get(key), Mapping)
        other = (
            mergeable
            and key == "optimiser"
            and value.get("name", "") not in ("", target[key]["name"])
        )
        if mergeable and key not in _REPLACED and not other:
            _merge(target[key], value)
        else:
            target[key] = value


def _apply(content: Any, setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise ParamsError(f"--set {setting}: expected section.key=value")
    try:
        set_value(content, key, text)
    except YAMLError:
        raise ParamsError(f"--set {setting}: '{text}' is not a YAML value") from None
