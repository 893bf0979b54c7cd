"""The conda environment and the pip requirements name the same versions."""

import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML


def read_pins(file: Path) -> list[str]:
    """Lines of a requirements file that are no comments."""
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def names(requirements: list[str]) -> set[str]:
    """Names of packages, as an index compares them."""
    return {re.split(r"[=<>~\[]", r)[0].lower().replace("_", "-") for r in requirements}


@pytest.mark.parametrize("extra", ["slurm", "kubernetes", "weights", "onnx", "docs"])
def test_an_extra_s_own_requirements_are_pinned_and_go_with_the_others(repository, extra):
    pins = read_pins(repository / f"requirements-{extra}.txt")
    assert all(pin.count("==") == 1 for pin in pins)
    assert not names(pins) & names(read_pins(repository / "requirements.txt"))
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert names(project["optional-dependencies"][extra]) <= names(pins)


def test_environment_repeats_the_requirements(repository: Path):
    pins = read_pins(repository / "requirements.txt")
    environment = YAML(typ="safe").load((repository / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == [*pins, "-e ."]
    assert {"python=3.11", "cxx-compiler", "make", "git"} <= {
        d for d in environment["dependencies"] if isinstance(d, str)
    }
    assert all("==" in pin for pin in pins)
