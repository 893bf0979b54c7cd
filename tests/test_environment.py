"""The conda environment and the pip requirements name the same versions."""

from pathlib import Path

from ruamel.yaml import YAML


def test_environment_repeats_the_requirements(repository: Path):
    lines = (repository / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    environment = YAML(typ="safe").load((repository / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == [*pins, "-e ."]
    assert {"python=3.11", "cxx-compiler", "make", "git"} <= {
        d for d in environment["dependencies"] if isinstance(d, str)
    }
    assert all("==" in pin for pin in pins)
