"""Plug-ins are found by their files, and their options by the arguments of ``build``."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from hfpl.sections.plugins import check_options, plugin_names

PACKAGES = ("hfpl.plugins.methods", "hfpl.plugins.backbones", "hfpl.plugins.refiners",
            "hfpl.plugins.metrics")  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_every_plugin_imports_and_takes_the_options_that_are_read_from_its_source(package):
    names = plugin_names(package)
    assert names
    assert names == sorted(names)
    for name in names:
        build = import_module(f"{package}.{name}").build
        parameters = inspect.signature(build).parameters.values()
        taken = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
        complaints = check_options("k", package, name, "o", dict.fromkeys([*taken, "zz"], 1))
        assert [text for text in complaints if "unknown" in text] == [
            text for text in complaints if text.startswith("o.zz: unknown option of ")
        ]
        missing = check_options("k", package, name, "o", {})
        assert {text.split(":")[0] for text in missing} == {f"o.{option}" for option in taken}
        assert all(text.split(": ")[1].startswith(f"missing; '{name}' needs ") for text in missing)


def test_files_without_build_are_no_plugins():
    assert "seam" in plugin_names("hfpl.plugins.methods")
    assert not {"interface", "losses", "__init__"} & set(plugin_names("hfpl.plugins.methods"))
    assert "small" in plugin_names("hfpl.plugins.backbones")


def test_an_unknown_plugin_is_named_with_the_nearest():
    (text,) = check_options("network.backbone", PACKAGES[1], "smal", "network.options", {})
    assert text == (
        "network.backbone: no file 'smal.py' in hfpl/plugins/backbones; did you mean 'small'?"
    )
    (text,) = check_options("variants.x.method", PACKAGES[0], "interface", "o", {})
    assert text.startswith("variants.x.method: no file 'interface.py' in hfpl/plugins/methods")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of plug-ins that nobody wrote before."""
    folder = tmp_path / "someones_plugins"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('only read, never imported')\n")
    (folder / "good.py").write_text(
        "raise RuntimeError('only read, never imported')\n"
        "def build(backbone, num_classes, *, width: int, rate: float = 0.5, kind='x'):\n"
        "    pass\n"
    )
    (folder / "bare.py").write_text("def build(backbone, num_classes):\n    pass\n")
    (folder / "other.py").write_text("class Other:\n    def build(self, *, a): ...\n")
    (folder / "_private.py").write_text("def build(*, a): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "someones_plugins"


def test_plugins_are_read_without_being_imported(package):
    assert plugin_names(package) == ["bare", "good"]
    options = {"width": 3, "rate": 0.1, "kind": "y"}
    assert check_options("k", package, "good", "o", options) == []
    assert check_options("k", package, "bare", "o", {}) == []
    assert check_options("k", package, "bare", "o", {"a": 1}) == [
        "o.a: unknown option of 'bare'; known: none"
    ]
    assert check_options("k", package, "good", "o", {"widht": 3, "rate": 0.1, "kind": "y"}) == [
        "o.widht: unknown option of 'good'; did you mean 'width'?",
        "o.width: missing; 'good' needs int",
    ]


def test_checking_parameters_loads_no_torch(repository: Path):
    script = (
        "import sys; from hfpl.params import load_params; load_params('params.yaml'); "
        "print(sorted({'torch', 'cv2', 'PIL', 'scipy', 'pydensecrf'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
