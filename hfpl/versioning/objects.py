"""DVC's objects: which ones ``dvc.lock`` names, and which of them the cache really holds."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


@dataclass(frozen=True)
class Object:
    """A result of the version that is checked out.

    Attributes:
        path: of the result.
        md5: of its content, hexadecimal; its name in caches and remotes.
        pushed: whether remotes hold it.
    """

    path: str
    md5: str
    pushed: bool

    @property
    def name(self) -> str:
        """File of the content, below a cache or a remote."""
        return f"files/md5/{self.md5[:2]}/{self.md5[2:]}"


def locked_objects(folder: Path = Path()) -> list[Object]:
    """Results that ``dvc.lock`` names, without those that git holds itself.

    Raises:
        ValueError: one of the files is missing or is none of DVC's.
    """
    stages, locked = (read_stages(folder / name) for name in ("dvc.yaml", "dvc.lock"))
    options = {}
    for stage in stages.values():
        options |= out_options(stage)
    return [
        Object(out["path"], out["md5"], options.get(out["path"], {}).get("push", True))
        for stage in locked.values()
        for out in stage.get("outs", [])
        if options.get(out["path"], {}).get("cache", True)
    ]


def out_options(stage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Options of every result that a stage of ``dvc.yaml`` declares, by its path."""
    outs = [*stage.get("outs", []), *stage.get("metrics", [])]
    return {k: v for out in outs for k, v in (out if isinstance(out, dict) else {out: {}}).items()}


def read_stages(file: Path) -> dict[str, dict[str, Any]]:
    """Stages of a ``dvc.yaml`` or ``dvc.lock``, by name.

    Raises:
        ValueError: the file is missing, or none of DVC's.
    """
    if not file.is_file():
        raise ValueError(f"{file}: not there; no version of results is checked out")
    try:
        text = file.read_text(encoding="utf-8")
        for name, value in _chosen(file.parent).items():
            text = text.replace(f"${{{name}}}", value)
        return YAML(typ="safe", pure=True).load(text)["stages"]
    except (YAMLError, KeyError, TypeError):
        raise ValueError(f"{file}: not a file of DVC's; restore it with git") from None


def _chosen(folder: Path) -> dict[str, str]:
    """Names of data set and variant in params.yaml, which DVC puts into the paths."""
    params = folder / "params.yaml"
    lines = params.read_text(encoding="utf-8").splitlines() if params.is_file() else []
    found = (re.match(r"(dataset|variant): *([a-z0-9_-]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def absent(objects: Iterable[Object], cache: Path) -> list[Object]:
    """Objects that a cache does not hold. Damaged ones are removed from it, and are absent then."""
    return [found for found in objects if not _is_whole(cache / found.name, found.md5)]


def _is_whole(file: Path, md5: str) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as content:
        if hashlib.file_digest(content, "md5").hexdigest() == md5:
            return True
    # DVC trusts what is in its cache: left there, it would be checked out.
    file.unlink()
    return False
