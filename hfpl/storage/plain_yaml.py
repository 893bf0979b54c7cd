"""YAML that a person, or nobody trusted, has written: values, lists and mappings alone."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    NodeEvent,
    ScalarEvent,
)

LARGEST = 4_000_000
"""Characters of the largest text; ``dvc.lock`` of ten thousand results has two million."""
DEEPEST = 32
_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!", None)


def load_yaml(text: str) -> Any:
    """Content of a YAML 1.2 text.

    Refused are names for parts (``&x``, ``*x``), which may stand for more than any memory holds,
    tags (``!!bool``), keys that are no text, and what lies in more than 32 brackets.

    Raises:
        YAMLError: the text is none, or holds what is refused.
    """
    if len(text) > LARGEST:
        raise YAMLError(f"{len(text)} characters are more than {LARGEST}")
    depth = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            where = f"line {event.start_mark.line + 1}" if event.start_mark else "somewhere"
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise YAMLError(f"{where}: names for parts (&x, *x) are not accepted: write it out")
            if isinstance(event, NodeEvent) and _tag(event) not in _TAGS:
                raise YAMLError(f"{where}: tags ({_tag(event)}) are not accepted: leave it out")
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > DEEPEST:
                raise YAMLError(f"{where}: more than {DEEPEST} brackets within each other")
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise
    except Exception as error:  # Of a number, date or escape that cannot be, any.
        raise YAMLError(f"{_line_of_error(text)}: {str(error)[:100]}") from None
    _check_keys(content)
    return content


def _line_of_error(text: str) -> str:
    """Where the first value stands that cannot be read, and how it begins."""
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, ScalarEvent) and event.style is None:
            try:
                YAML(typ="safe", pure=True).load(event.value)
            except Exception:
                return f"line {event.start_mark.line + 1}: '{event.value[:20]}' cannot be a value"
    return "a value that cannot be"


def _check_keys(content: Any) -> None:
    if isinstance(content, dict):
        for key, value in content.items():
            if not isinstance(key, str):
                raise YAMLError(f"the key {str(key)[:40]} is no text: put it in quotes")
            _check_keys(value)
    elif isinstance(content, list):
        for value in content:
            _check_keys(value)


def _tag(event: NodeEvent) -> str | None:
    tag = getattr(event, "tag", None)
    return None if tag is None or isinstance(event, ScalarEvent) and not tag else str(tag)
