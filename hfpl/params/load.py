"""Read and check ``params.yaml``; every mistake is one line that names the key."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hfpl.params.explain import explain, one_line
from hfpl.params.plugins import check_options, plugin_names
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
        raise ParamsError(f"{path}: not valid YAML: {one_line(str(error))}") from None
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
        raise ParamsError(f"{source}: {explain(error, content)}") from None
    for message in _cross_checks(params):
        raise ParamsError(f"{source}: {message}")
    return params


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
    for method in params.cam.methods:
        if method not in plugin_names("hfpl.methods"):
            hint = suggest(method, plugin_names("hfpl.methods"))
            found.append(f"cam.methods.{method}: no file '{method}.py' in hfpl/methods{hint}")
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
