"""Keys of jobs: all that results depend on besides the input files."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def key_digest(key: dict[str, Any]) -> str:
    """Digest of a job's key, 16 hexadecimal digits."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def recorded_key(values: Iterable[str]) -> dict[str, Any]:
    """The key of a job from what Snakemake recorded of a rule's params; empty without one."""
    found: dict[str, Any] = {}
    for value in values:
        try:
            parsed = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
        if isinstance(parsed, dict):
            found |= parsed
    return found


def key_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two keys of a job, in words: ``cam.fsl.mu: 2.0 → 2.5``.

    Values that changed come first: where one of them switches a loss off, others are used no more.
    """
    changes, used = [], []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if name == _NOT_TOLD or (name in before and name in now and old == new):
            continue
        if name in _IN_WORDS:
            changes.append(_IN_WORDS[name])
        elif name not in before:
            used.append(f"{name}: new")
        elif name not in now:
            used.append(f"{name}: no longer used")
        else:
            changes.append(f"{name}: {old} → {new}")
    return changes + used


_IN_WORDS = {
    "code": "its code",
    "content": "files of the data set",
    "photographs": "photographs, or their tags",
}
_NOT_TOLD = "manifests"
"""Of the index: whatever changes them changes its content too."""
