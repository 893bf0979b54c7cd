"""What each top-level package of the environment costs: megabytes on disk, and seconds of import.

    python -m studies.dependencies [--extras pipeline ...]

Megabytes of a package and of what only it brings: what would be gone without it. Seconds are the
best of three new interpreters, less that of an empty one; what another package imports as well
counts for each.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Needs = Mapping[str, set[str]]
"""Package → what it needs, all of it installed."""


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extras", nargs="+", default=["pipeline"])
    args = parser.parse_args()
    names = {canonicalize_name(r.name): r for r in asked_by(set(args.extras))}
    needs = {name: installed_needs(r) for name, r in names.items()}
    print("| package | brings | MB of it alone | MB with what only it brings | seconds of import |")
    print("|---|---:|---:|---:|---:|")
    empty = seconds("")
    for name in sorted(names, key=lambda name: -sum(map(megabytes, only(needs, name)))):
        own = only(needs, name)
        alone, whole = megabytes(name), sum(map(megabytes, own))
        imported = max(seconds(f"import {module(name)}") - empty, 0)
        print(f"| {name} | {len(own) - 1} | {alone:.0f} | {whole:.0f} | {imported:.1f} |")
    every = set().union(*needs.values())
    print(f"\n{len(every)} packages, {sum(map(megabytes, every)):.0f} MB.")


def asked_by(extras: set[str]) -> list[Requirement]:
    """What the project and some of its extras name, and the extras that these take in."""
    wanted = [Requirement(line) for line in distribution("hfpl").requires or ()]
    environments = [{"extra": extra} for extra in extras]
    found = [r for r in wanted if not r.marker or any(map(r.marker.evaluate, environments))]
    taken = {extra for r in found if r.name == "hfpl" for extra in r.extras}
    if not taken <= extras:
        return asked_by(extras | taken)
    return [r for r in found if r.name != "hfpl"]


def installed_needs(requirement: Requirement) -> set[str]:
    """Names of what a requirement brings, itself included."""
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [requirement]
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            lines = distribution(name).requires or ()
        except PackageNotFoundError:
            continue
        found.add(name)
        environments = [{"extra": extra} for extra in extras or {""}]
        for further in map(Requirement, lines):
            if further.marker is None or any(map(further.marker.evaluate, environments)):
                waiting.append(further)
    return found


def only(needs: Needs, name: str) -> set[str]:
    """What would be gone without a package."""
    others = set().union(*(found for other, found in needs.items() if other != name))
    return needs[name] - others | {name}


def megabytes(name: str) -> float:
    """Size of a package's files on disk."""
    files = distribution(name).files or ()
    return sum(_size(Path(str(file.locate()))) for file in files) / 1e6


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def module(name: str) -> str:
    """What is imported of a package."""
    found = packages_distributions()
    modules = [m for m, owners in found.items() if name in map(canonicalize_name, owners)]
    likely = name.replace("-", "_")
    return likely if likely in modules else min((m for m in modules if m[0] != "_"), key=len)


def seconds(line: str) -> float:
    """Of a new interpreter that runs a line, the best of three."""
    return min(_timed(line) for _ in range(3))


def _timed(line: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", line], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
