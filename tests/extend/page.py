"""The examples of docs/extend.md, as its readers would take them."""

import re
import shlex
import shutil
from pathlib import Path


def example(repository: Path, heading: str) -> tuple[str, list[str]]:
    """Code of a section of the page, and the arguments of its first command without ``hfpl``."""
    page = (repository / "docs" / "extend.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    program, *arguments = shlex.split(commands.replace("\\\n", " ").splitlines()[0])
    assert program == "hfpl"
    return code, arguments


def copied_package(repository: Path, folder: Path) -> Path:
    """A copy of the package in a folder, to add the page's files to; the folder."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "hfpl", folder / "hfpl", ignore=ignored)
    return folder
