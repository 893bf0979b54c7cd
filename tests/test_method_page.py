"""docs/method.md: the sections, equations and papers that the code names are there."""

import ast
import re
from pathlib import Path

import pytest

SECTION = re.compile(r"docs/method\.md,\s+(\d+(?:\.\d+)?)(?:\s+and\s+(\d+(?:\.\d+)?))?")
EQUATION = re.compile(r"docs/method\.md,\s+equation\s+\((\d+)\)")
PAPER = re.compile(r"(?<![\w`\[])\[([A-Z][A-Za-z0-9]+)\](?!\()")


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "method.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def explained(repository: Path) -> str:
    """All docstrings and comments of the package and the tests."""
    found = []
    for folder in ("hfpl", "tests", "scripts"):
        for file in sorted((repository / folder).rglob("*.py")):
            if file == Path(__file__):
                continue
            text = file.read_text(encoding="utf-8")
            kinds = ast.Module, ast.FunctionDef, ast.ClassDef
            nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
            found += [ast.get_docstring(node) or "" for node in nodes]
            found += re.findall(r"# .*", text)
    return "\n".join(found)


def test_sections_that_the_code_names_are_there(page, explained):
    named = {number for match in SECTION.findall(explained) for number in match if number}
    there = set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", page, re.M))
    assert len(named) > 10
    assert named <= there


def test_equations_are_numbered_in_order_and_those_that_the_code_names_are_there(page, explained):
    numbers = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", page)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert page.count("$$") == 2 * len(numbers)
    assert {int(n) for n in EQUATION.findall(explained)} <= set(numbers)
    assert {int(n) for n in re.findall(r"(?<![\w$])\((\d+)\)", page)} <= set(numbers)


def test_papers_that_the_code_or_the_page_names_are_in_its_bibliography(page, explained):
    text, bibliography = page.split("## Bibliography")
    entries = re.findall(r"^- \*\*\[(\w+)\]\*\* ", bibliography, re.M)
    assert entries == sorted(entries, key=str.lower)
    named = set(PAPER.findall(explained)) | set(PAPER.findall(text))
    assert named == set(entries)


def test_nothing_points_to_notes_that_are_not_here(explained):
    assert "method notes" not in explained
