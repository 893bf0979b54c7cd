"""The documentation of the parameters is what the models say."""

import re
from pathlib import Path

from hfpl.params.describe import describe_params
from hfpl.params.load import read_yaml


def test_the_committed_page_is_current(repository: Path):
    page = (repository / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert page == describe_params(), "run: hfpl params --describe > docs/parameters.md"


TABLES = (
    "network.options",
    "cam.methods",
    "cam.rates",
    "evaluate.background_score",
    "ablation.sweeps",
)


def test_every_key_of_the_committed_file_is_described(repository: Path):
    page = describe_params()
    for key in leaves(read_yaml(repository / "params.yaml")):
        section, *rest = key.split(".")
        if section in ("datasets", "variants"):
            key = ".".join([section, "<name>", *rest[1:]])
        if key.startswith("grid.losses."):
            key = f"grid.losses.<name>.{rest[-1]}"
        known = f"`{key}`" in page or any(f"`{table}`" in page for table in TABLES if table in key)
        assert known, key


def leaves(node: object, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [prefix]
    start = f"{prefix}." if prefix else ""
    return [leaf for name, value in node.items() for leaf in leaves(value, f"{start}{name}")]


def test_the_committed_file_is_the_demo_preset(repository: Path):
    from hfpl.params.presets import preset_text

    committed = (repository / "params.yaml").read_text(encoding="utf-8")
    assert committed == preset_text("demo"), "run 'hfpl params demo --out params.yaml'"


def test_every_value_of_the_committed_file_has_a_line_about_it(repository: Path):
    lines = (repository / "params.yaml").read_text(encoding="utf-8").splitlines()
    values = [line for line in lines if re.match(r" *[\w-]+: \S", line)]
    assert len(values) > 130
    # Variants and methods are named by their keys; below sweeps, values say it themselves.
    silent = [line for line in values if "#" not in line and "cam." not in line]
    assert silent == []
