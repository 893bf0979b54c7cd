"""Pins: what pyproject.toml asks for, whole, the same for pip and for conda, on every Python."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from scripts.pins import EXTRAS, FOLLOWS, OF_CUDA


def pins_of(repository: Path, extra: str) -> list[Requirement]:
    """Of the workflow's packages, or of what an extra brings besides."""
    file = repository / (f"requirements-{extra}.txt" if extra else "requirements.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def names(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def asked_by(repository: Path, extra: str) -> list[str]:
    """What an extra names, that of the extras that it takes in included."""
    lines = project(repository)["optional-dependencies"][extra]
    own = [line for line in lines if not line.startswith("hfpl[")]
    taken = (Requirement(line).extras for line in lines if line not in own)
    return own + [line for extras in taken for e in extras for line in asked_by(repository, e)]


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_package_has_one_pin_that_the_project_allows(repository: Path, extra):
    before = ["", *FOLLOWS.get(extra, [])] if extra else []
    held = [pin for name in before for pin in pins_of(repository, name)]
    own = pins_of(repository, extra)
    assert all(re.fullmatch(r"==[^,*]+", str(pin.specifier)) for pin in own)
    assert len(names(own)) == len(own)
    assert not names(own) & names(held)
    asked = [*project(repository)["dependencies"], *asked_by(repository, extra or "pipeline")]
    versions = {canonicalize_name(p.name): str(p.specifier)[2:] for p in (*own, *held)}
    for requirement in map(Requirement, asked):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_what_a_pinned_package_needs_is_pinned(repository: Path, extra):
    before = ["", *FOLLOWS.get(extra, [])] if extra else []
    own = pins_of(repository, extra)
    pinned = names([pin for name in before for pin in pins_of(repository, name)]) | names(own)
    for pin in own:
        try:
            found = distribution(pin.name)
        except PackageNotFoundError:
            continue  # This environment is without that extra.
        if found.version.partition("+")[0] != str(pin.specifier)[2:]:
            continue
        for line in found.requires or ():
            need = Requirement(line)
            if need.marker and not need.marker.evaluate({"extra": ""}):
                continue
            assert canonicalize_name(need.name) in pinned or OF_CUDA.match(need.name), (pin, line)


def test_environment_repeats_the_requirements(repository: Path):
    pins = [str(pin) for pin in pins_of(repository, "")]
    environment = YAML(typ="safe").load((repository / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert [str(Requirement(line)) for line in pip[:-1]] == pins
    assert pip[-1] == "-e ."
    assert {"python=3.11", "cxx-compiler", "make", "git"} <= {
        d for d in environment["dependencies"] if isinstance(d, str)
    }


def test_make_takes_no_python_that_the_project_refuses(repository: Path):
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    asked = re.search(r"\((\d), (\d+)\) <= sys\.version_info\[:2\] <= \((\d), (\d+)\)", makefile)
    least, most = ".".join(asked.groups()[:2]), ".".join(asked.groups()[2:])
    allowed = SpecifierSet(project(repository)["requires-python"])
    assert least in allowed
    assert most in allowed
    assert f"{least[0]}.{int(least[2:]) - 1}" not in allowed
    for version in range(int(least[2:]), int(most[2:]) + 1):
        assert f"python{least[0]}.{version}" in makefile
