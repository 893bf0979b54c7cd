"""Presets: whole parameter files, or a base preset with what differs from it."""

import io
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hfpl.params.load import ParamsError, set_value, validate_params
from hfpl.sections.suggest import suggest

_FOLDER = files("hfpl.params") / "presets"
_REPLACED = ("datasets", "options", "sweeps")  # tables a preset replaces whole instead of merging


def preset_names() -> list[str]:
    """Names of the presets, sorted."""
    return sorted(p.name.removesuffix(".yaml") for p in _FOLDER.iterdir() if p.name[-5:] == ".yaml")


def preset_text(name: str, settings: Iterable[str] = ()) -> str:
    """A resolved and checked parameter file as text, comments included.

    Args:
        name: a preset.
        settings: ``section.key=value`` each, the value in YAML; they win over the preset.

    Raises:
        ParamsError: unknown preset, malformed setting, or parameters that do not hold.
    """
    content = _read(name)
    for setting in settings:
        _apply(content, setting)
    buffer = io.StringIO()
    _yaml().dump(content, buffer)
    text = buffer.getvalue()
    validate_params(YAML(typ="safe", pure=True).load(text), source=f"preset {name}")
    return text


def _read(name: str) -> Any:
    if name not in preset_names():
        raise ParamsError(f"preset '{name}': unknown{suggest(name, preset_names())}")
    content = _yaml().load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    base = content.pop("base", None)
    if base is None:
        return content
    merged = _read(base)
    _merge(merged, content)
    return merged


def _merge(target: Any, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        mergeable = isinstance(value, Mapping) and isinstance(target.get(key), Mapping)
        if mergeable and key not in _REPLACED:
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


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 100
    yaml.preserve_quotes = True
    return yaml
