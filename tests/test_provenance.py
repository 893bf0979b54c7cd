"""What a result is said to depend on: parameters, files, and code but for its comments."""

import copy
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hfpl import provenance
from hfpl.params.active import JOBS, active_params
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.provenance import code_digest, file_digest, job_key, key_changes, key_digest

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))
PARAMS = validate_params(DEMO)

FILES = {
    "job/__init__.py": '"""Package."""\n',
    "job/main.py": '''"""The job."""

import hfpl.job.adding
import hfpl.side.tools
from hfpl.lib import tool
from hfpl.lib.values import SPEED, unused

LIMIT = 3
"""What the limit is."""


def run(x):
    """Run it."""
    from hfpl.late import finish  # only where needed

    return finish(tool.double(hfpl.job.adding.add(x, LIMIT)) * SPEED)
''',
    "job/adding.py": "def add(a, b):\n    return a + b\n",
    "lib/__init__.py": "ORDER = 1\n",
    "lib/tool.py": "from hfpl import deep\n\n\ndef double(x):\n    return deep.twice(x)\n",
    "lib/values.py": "SPEED = 2.0\nunused = None\n",
    "lib/unrelated.py": "X = 1\n",
    "deep.py": "class Deep:\n    '''Doc.'''\n\n\ndef twice(x):\n    return 2 * x\n",
    "side/__init__.py": "SIDE = 1\n",
    "side/tools.py": "TOOLS = ()\n",
    "late.py": "async def finish(x):\n    'Doc.'\n    return x\n",
    "near.py": "from .job.adding import add\n\nY = add\n",
}
"""A package beside copies of the real provenance and params, cheap to import."""


def write_package(folder: Path, repository: Path) -> Path:
    shutil.copytree(
        repository / "hfpl" / "params",
        folder / "params",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("__init__.py", "provenance.py"):
        shutil.copy(repository / "hfpl" / name, folder / name)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def package(tmp_path: Path, repository: Path) -> Path:
    return write_package(tmp_path / "hfpl", repository)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> str:
    """Digest of the unchanged package, at another place: where the code lies does not count."""
    folder = tmp_path_factory.mktemp("elsewhere") / "hfpl"
    return digest_in(write_package(folder, repository), "hfpl.job.main")


def digest_in(package: Path, *modules: str) -> str:
    """code_digest() of modules, in a fresh interpreter that finds the given package first."""
    script = f"import hfpl.provenance as p; print(p.__file__, p.code_digest({modules!r}))"
    file, digest = _run(script, package.parent).split()
    assert Path(file) == package / "provenance.py"
    return digest


def _run(script: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def edit(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text()
    assert old in text
    (package / name).write_text(text.replace(old, new))


def test_comments_docstrings_and_formatting_do_not_count(package, before):
    edit(package, "job/main.py", '"""The job."""', '"""The job, told at length.\n\nMore."""\n# a')
    edit(package, "job/main.py", '"""Run it."""', '"""Run it soon."""')
    edit(package, "job/main.py", '"""What the limit is."""\n', "")
    edit(package, "job/main.py", "LIMIT = 3", "LIMIT   =  ( 3 )  # at most")
    edit(package, "deep.py", "'''Doc.'''", "'''Another.'''")
    edit(package, "late.py", "'Doc.'", "'Another.'\n\n    # and a remark\n")
    edit(package, "lib/__init__.py", "ORDER", '"""New docstring."""\n\nORDER')
    assert digest_in(package, "hfpl.job.main") == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("job/main.py", "LIMIT = 3", "LIMIT = 4"),
        ("job/adding.py", "a + b", "b + a"),
        ("lib/tool.py", "deep.twice(x)", "deep.twice(x + 0)"),
        ("lib/values.py", "2.0", "2.5"),
        ("lib/__init__.py", "ORDER = 1", "ORDER = 2"),
        ("side/__init__.py", "SIDE = 1", "SIDE = 2"),
        ("deep.py", "2 * x", "x * 2"),
        ("late.py", "return x", "return +x"),
        ("__init__.py", '__version__ = "', '__version__ = "9'),
    ],
)
def test_a_change_of_code_counts_wherever_it_is_imported(package, before, name, old, new):
    edit(package, name, old, new)
    assert digest_in(package, "hfpl.job.main") != before


def test_code_that_is_not_imported_does_not_count(package, before):
    edit(package, "lib/unrelated.py", "X = 1", "X = 2")
    (package / "job" / "new.py").write_text("Z = 1\n")
    edit(package, "params/section.py", "max_length=64", "max_length=65")
    assert digest_in(package, "hfpl.job.main") == before


def test_a_relative_import_counts_like_any_other(package):
    before = digest_in(package, "hfpl.near")
    edit(package, "job/adding.py", "a + b", "b + a")
    assert digest_in(package, "hfpl.near") != before


def test_a_moved_module_counts(package, before):
    (package / "deep.py").rename(package / "deeper.py")
    edit(package, "lib/tool.py", "import deep\n", "import deeper as deep\n")
    assert digest_in(package, "hfpl.job.main") != before


def test_every_job_has_a_module_that_exists():
    assert list(provenance._ENTRY) == list(JOBS)
    missing = {}
    for job, module in provenance._ENTRY.items():
        if find_spec(module.rpartition(".")[0]) is None or find_spec(module) is None:
            missing[job] = module
    assert missing == {}
    assert set(provenance._NO_BACKBONE) | set(provenance._USES_METHOD) <= set(JOBS)


CODES = """
import json, sys
from hfpl.params import load_params
from hfpl.params.active import JOBS
from hfpl.provenance import job_key, key_changes
params = load_params({file!r})
print(json.dumps({{job: job_key(params, job)["code"] for job in JOBS}}))
print("torch" in sys.modules)
"""


def codes_in(folder: Path, params: Path) -> tuple[dict[str, str], bool]:
    """Digest of each job's code with the package in a folder, and whether torch was loaded."""
    digests, torch = _run(CODES.format(file=str(params)), folder).splitlines()
    return json.loads(digests), torch == "True"


@pytest.fixture(scope="module")
def params_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(preset_text("demo"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def planned(repository: Path, params_file: Path) -> tuple[dict[str, str], bool]:
    return codes_in(repository, params_file)


def test_methods_and_backbones_count_only_for_the_jobs_that_load_them(
    tmp_path, repository, params_file, planned
):
    copied = tmp_path / "hfpl"
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(repository / "hfpl", copied, ignore=unwanted)
    start, _ = planned
    (copied / "methods" / "brandnew.py").write_text("def build(backbone, num_classes): ...\n")
    (copied / "networks" / "backbones" / "brandnew.py").write_text("def build(): ...\n")
    with (copied / "methods" / "seam.py").open("a") as file:
        file.write("\nADDED = 1\n")
    method, _ = codes_in(tmp_path, params_file)
    assert {job for job in start if start[job] != method[job]} == {"cam_train", "cam_infer"}
    with (copied / "networks" / "backbones" / "small.py").open("a") as file:
        file.write("\nADDED = 1\n")
    backbone, _ = codes_in(tmp_path, params_file)
    without = {job for job in start if method[job] == backbone[job]}
    assert without == {
        "data_generate", "data_download", "data_convert", "data_index", "data_masks", "pseudo",
        "evaluate_cam", "evaluate_masks", "evaluate", "report",
    }  # fmt: skip


def test_changes_of_a_key_are_told_in_words():
    before = {"a": 1, "b.c": 2.0, "code": "x", "content": "y", "digest": "1", "d": None}
    now = {"a": 1, "b.c": 2.5, "code": "z", "content": "w", "digest": "2", "aa": None}
    assert key_changes(before, now) == [
        "b.c: 2.0 → 2.5", "its code", "files of the data set", "aa: new", "d: no longer used",
    ]  # fmt: skip
    assert key_changes(before, before) == []


def test_a_data_set_s_conversion_counts_for_itself_alone(tmp_path, repository):
    copied = tmp_path / "hfpl"
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(repository / "hfpl", copied, ignore=unwanted)
    paths = [tmp_path / f"{preset}.yaml" for preset in ("voc2012", "coco2014")]
    for path in paths:
        path.write_text(preset_text(path.stem), encoding="utf-8")
    start = [codes_in(tmp_path, path)[0] for path in paths]
    with (copied / "data" / "coco_masks.py").open("a") as file:
        file.write("\nADDED = 1\n")
    voc, coco = (codes_in(tmp_path, path)[0] for path in paths)
    assert voc == start[0]
    assert {job for job in coco if coco[job] != start[1][job]} == {"data_convert"}


def test_planning_a_run_loads_no_torch(planned):
    _, torch_loaded = planned
    assert not torch_loaded


def test_a_job_key_holds_the_active_parameters_and_the_code():
    for job in JOBS:
        key = job_key(PARAMS, job, "seam-isl")
        code = key.pop("code")
        assert key == active_params(PARAMS, job, "seam-isl")
        assert len(code) == 16
        assert int(code, 16) >= 0
    trainings = [key_digest(job_key(PARAMS, "cam_train", name)) for name in PARAMS.variants]
    assert len(set(trainings)) == len(trainings)


def test_a_data_set_depends_on_the_code_of_its_format():
    folder = YAML(typ="safe", pure=True).load(preset_text("folder"))
    expected = {
        "hfpl.stages.data.index": PARAMS,
        "hfpl.stages.data.folder": validate_params(folder),
    }
    assert len({code_digest((module,)) for module in expected}) == 2
    for module, params in expected.items():
        assert job_key(params, "data_index")["code"] == code_digest((module,))


def test_swapped_values_are_a_change():
    content = copy.deepcopy(DEMO)
    walk = content["walk"]
    walk["beta"], walk["background_power"] = walk["background_power"], walk["beta"]
    swapped = job_key(validate_params(content), "walk")
    assert key_digest(swapped) != key_digest(job_key(PARAMS, "walk"))


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.randoms())
def test_a_key_digest_depends_on_names_and_values_and_not_on_their_order(key, random):
    shuffled = list(key.items())
    random.shuffle(shuffled)
    assert key_digest(dict(shuffled)) == key_digest(key)
    assert key_digest({**key, "more": 1}) != key_digest({**key, "more": 2})
    assert key_digest({**key, "more": 1}) != key_digest({**key, "more": True})
    assert key_digest({**key, "mehr": 1}) != key_digest({**key, "more": 1})


def test_a_file_digest_depends_on_contents_and_order_and_not_on_names(tmp_path):
    names = [tmp_path / n for n in ("a", "b", "c", "d")]
    for name, content in zip(names, (b"ab", b"c", b"a", b"bc"), strict=True):
        name.write_bytes(content)
    a, b, c, d = names
    assert file_digest([a, b]) != file_digest([b, a])
    assert file_digest([a, b]) != file_digest([c, d])
    assert file_digest([a]) != file_digest([a, a])
    before = file_digest([str(a), b])
    moved = a.rename(tmp_path / "somewhere else")
    assert file_digest([moved, b]) == before
    with pytest.raises(OSError, match="nothing"):
        file_digest([tmp_path / "nothing"])


def test_the_code_digest_is_stable_within_a_process():
    modules = ("hfpl.storage.shards",)
    first = code_digest(modules)
    code_digest.cache_clear()
    assert code_digest(modules) == first
    assert first != code_digest(("hfpl.storage.atomic",))
