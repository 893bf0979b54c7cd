"""DVC's objects: which ones ``dvc.lock`` names, and which of them the cache really holds."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml.error import YAMLError

from hfpl.storage.plain_yaml import load_yaml


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
        ValueError: one of the files is missing, is none of DVC's, or names what no result can be.
    """
    stages, locked = (read_stages(folder / name) for name in ("dvc.yaml", "dvc.lock"))
    options = {}
    for stage in stages.values():
        options |= out_options(stage)
    outs = [_checked(out, folder / "dvc.lock") for out in _outs(locked)]
    return [
        Object(path, md5, options.get(path, {}).get("push", True))
        for path, md5 in outs
        if options.get(path, {}).get("cache", True)
    ]


def named_results(text: str) -> set[str]:
    """Paths of the results that the text of a ``dvc.lock`` names, also of a damaged one."""
    try:
        outs = list(_outs(load_yaml(text)["stages"]))
        return {str(out["path"]) for out in outs if isinstance(out, dict) and "path" in out}
    except (YAMLError, KeyError, TypeError, AttributeError):
        lines = re.findall(r"""\bpath: *['"]?([^'"\n]+?)['"]? *$""", text, re.MULTILINE)
        return set(lines)


def _outs(stages: Mapping[str, Any]) -> Iterator[Any]:
    for stage in stages.values():
        outs = stage.get("outs") or [] if isinstance(stage, dict) else []
        yield from outs if isinstance(outs, list) else []


def _checked(out: Any, file: Path) -> tuple[str, str]:
    """Path and digest of an output, in the form that becomes the name of a file.

    Raises:
        ValueError: another form; whoever wrote the file may want another file removed.
    """
    path, md5 = (out.get("path"), out.get("md5")) if isinstance(out, dict) else (None, None)
    # What git holds has a digest as well.
    if not isinstance(md5, str) or not re.fullmatch(r"[0-9a-f]{32}", md5):
        raise ValueError(f"{file}: {path!r} has no MD5 of 32 digits; restore the file with git")
    inside = isinstance(path, str) and not PurePosixPath(path).is_absolute()
    if not inside or ".." in PurePosixPath(path).parts or "\0" in path:
        raise ValueError(f"{file}: {path!r} leads outside of the project; restore it with git")
    return path, md5


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
        if text.startswith("<<<<<<< ") or "\n<<<<<<< " in text:
            raise ValueError(
                f"{file}: two versions of a merge; take one ('git checkout --ours {file}'), then "
                "'snakemake --cores all' and 'hfpl dvc commit' make the one of both"
            )
        for name, value in _chosen(file.parent).items():
            text = text.replace(f"${{{name}}}", value)
        return load_yaml(text)["stages"]
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
