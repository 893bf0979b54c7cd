"""Blocks of commands on the pages."""

import re
from pathlib import Path


def blocks(page: Path) -> list[list[str]]:
    """Commands of each ``sh`` block of a page: lines that go on are joined, comments left out."""
    found = []
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = block.replace("\\\n", " ").splitlines()
        commands = (re.sub(r"(^|\s{2,})#(?!SBATCH).*", "", line).strip() for line in lines)
        found.append([" ".join(command.split()) for command in commands if command])
    return found
