"""What a result is said to depend on: parameters, files, and code but for its comments."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hfpl.jobs.code import Recorded, code_again, code_digest, code_of, record, record_text
from hfpl.jobs.key import key_changes, key_digest
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from hfpl.storage.digest import file_digest
from hfpl.versioning.code import _matches, _outputs, _raised, edited, units

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
"""A package beside copies of the real modules about code and params, cheap to import."""


def write_package(folder: Path, repository: Path) -> Path:
    for part in ("jobs", "sections"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / "hfpl" / part, folder / part, ignore=ignored)
    shutil.copy(repository / "hfpl" / "__init__.py", folder / "__init__.py")
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


def digest_in(package: Path, module: str) -> str:
    """code_digest() of a module, in a fresh interpreter that finds the given package first."""
    script = f"import hfpl.jobs.code as c; print(c.__file__, c.code_digest({module!r}))"
    file, digest = _run(script, package.parent).split()
    assert Path(file) == package / "jobs" / "code.py"
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
        ("__init__.py", 'name == "Segmenter"', 'name == "Segments"'),
    ],
)
def test_a_change_of_code_counts_wherever_it_is_imported(package, before, name, old, new):
    edit(package, name, old, new)
    assert digest_in(package, "hfpl.job.main") != before


def test_code_that_is_not_imported_does_not_count(package, before):
    edit(package, "lib/unrelated.py", "X = 1", "X = 2")
    (package / "job" / "new.py").write_text("Z = 1\n")
    assert digest_in(package, "hfpl.job.main") == before


def test_what_changes_no_result_does_not_count_by_where_it_lies(package, before):
    edit(
        package,
        "job/main.py",
        "import hfpl.side.tools",
        "import hfpl.side.tools\nimport hfpl.jobs.alone",
    )
    imported = digest_in(package, "hfpl.job.main")
    (package / "jobs" / "alone.py").write_text("REWORDED = 1\n")
    assert digest_in(package, "hfpl.job.main") == imported
    assert imported != before


def test_the_words_of_an_error_do_not_count_and_what_raises_it_does(package):
    edit(
        package,
        "late.py",
        "return x",
        "if x < 0:\n        raise ValueError('too small')\n    return x",
    )
    start = digest_in(package, "hfpl.job.main")
    edit(package, "late.py", "'too small'", "f'{x}: expected at least 0'")
    assert digest_in(package, "hfpl.job.main") == start
    edit(package, "late.py", "x < 0", "x < 1")
    assert digest_in(package, "hfpl.job.main") != start


def test_a_relative_import_counts_like_any_other(package):
    before = digest_in(package, "hfpl.near")
    edit(package, "job/adding.py", "a + b", "b + a")
    assert digest_in(package, "hfpl.near") != before


def test_a_moved_module_counts(package, before):
    (package / "deep.py").rename(package / "deeper.py")
    edit(package, "lib/tool.py", "import deep\n", "import deeper as deep\n")
    assert digest_in(package, "hfpl.job.main") != before


CODES = """
import json, sys
from hfpl.params import load_params
from hfpl.pipeline import JOBS
params = load_params({file!r})
print(json.dumps({{n: job.key(params)["code"] for n, job in JOBS.items() if job.when(params)}}))
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
    plugins = copied / "plugins"
    new = "def build(backbone, num_classes): ...\n"
    (plugins / "methods" / "brandnew.py").write_text(new)
    (plugins / "backbones" / "brandnew.py").write_text("def build(): ...\n")
    with (plugins / "methods" / "seam" / "losses.py").open("a") as file:
        file.write("\nADDED = 1\n")
    method, _ = codes_in(tmp_path, params_file)
    assert {job for job in start if start[job] != method[job]} == {"cam_train", "cam_infer"}
    with (plugins / "backbones" / "small.py").open("a") as file:
        file.write("\nADDED = 1\n")
    backbone, _ = codes_in(tmp_path, params_file)
    without = {job for job in start if method[job] == backbone[job]}
    assert without == {
        "data_archive", "data_index", "data_masks", "pseudo", "evaluate_cams", "evaluate_masks",
        "evaluate_table", "report",
    }  # fmt: skip


def test_changes_of_a_key_are_told_in_words():
    before = {"a": 1, "b.c": 2.0, "code": "x", "content": "y", "manifests": "1", "d": None}
    now = {"a": 1, "b.c": 2.5, "code": "z", "content": "w", "manifests": "2", "aa": None}
    assert key_changes(before, now) == [
        "b.c: 2.0 → 2.5", "its code", "files of the data set", "aa: new", "d: no longer used",
    ]  # fmt: skip
    assert key_changes(before, before) == []


def test_planning_a_run_loads_no_torch(planned):
    _, torch_loaded = planned
    assert not torch_loaded


def test_results_depend_on_the_version_where_the_code_is_the_recorded_one(monkeypatch):
    module, unit = "hfpl.stages.walk.label", "walk"
    digest = code_digest(module)
    entries = {unit: Recorded(3, digest)}
    monkeypatch.setattr("hfpl.jobs.code.record", lambda: entries)
    assert code_of(unit, f"{module}:label_shard", []) == "walk 3"
    entries[unit] = Recorded(3, "0" * 16)
    assert code_of(unit, f"{module}:label_shard", []) == f"walk {digest}"
    entries.clear()
    assert code_of(unit, f"{module}:label_shard", []) == f"walk {digest}"
    with_plugin = code_of(unit, f"{module}:label_shard", ["hfpl.plugins.backbones.small"])
    own = code_digest("hfpl.plugins.backbones.small")
    assert with_plugin == f"walk {digest}, backbones/small {own}"
    assert code_again(with_plugin, f"{module}:label_shard") == with_plugin


def test_no_edit_goes_unrecorded():
    """Where this fails: 'hfpl code --same' if results are what they were, else '--raise'."""
    assert edited() == []
    assert list(record()) == sorted(units())


def test_the_record_is_read_as_it_is_written(tmp_path):
    entries = {"walk": Recorded(2, "a" * 16), "methods/seam": Recorded(1, "0123456789012345")}
    path = tmp_path / "code.yaml"
    path.write_text(record_text(entries))
    assert dict(record(path)) == entries
    path.write_text("<<<<<<< HEAD\nwalk: {version: 2, digest: a}\n")
    record.cache_clear()
    with pytest.raises(ValueError, match=r"code\.yaml: not a record of code"):
        record(path)
    record.cache_clear()


def test_swapped_values_are_a_change():
    content = copy.deepcopy(DEMO)
    walk = content["walk"]
    walk["beta"], walk["background_power"] = walk["background_power"], walk["beta"]
    swapped = JOBS["walk"].key(validate_params(content))
    assert key_digest(swapped) != key_digest(JOBS["walk"].key(PARAMS))


def test_trainings_of_different_variants_have_different_keys():
    keys = [key_digest(JOBS["cam_train"].key(PARAMS.of_variant(name))) for name in PARAMS.variants]
    assert len(set(keys)) == len(keys)


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
    first = code_digest("hfpl.storage.shards")
    code_digest.cache_clear()
    assert code_digest("hfpl.storage.shards") == first
    assert first != code_digest("hfpl.storage.atomic")


def test_outputs_of_a_job_with_a_new_version_are_told_by_their_paths():
    own = _outputs(["segment_model", "cam_infer"])
    folder = "results/shapes/seam-isl-fsl@seed=1"
    assert _matches(f"{folder}/segment/model.safetensors", own)
    assert _matches(f"{folder}/cam/train-0.zip", own)
    for others in ("segment/network.safetensors", "cam/model.safetensors", "walk/train-0.zip"):
        assert not _matches(f"{folder}/{others}", own)
    assert not _matches(f"{folder}/segment/model.safetensors", [])


def test_a_job_with_another_version_than_an_older_record_s_is_told(tmp_path):
    now, older = record(), tmp_path / "code.yaml"
    before = {**now, "walk": Recorded(now["walk"].version - 1, now["walk"].digest)}
    del before["pseudo"]
    older.write_text(record_text(before))
    assert sorted(_raised(older, now)) == ["pseudo", "walk"]
    same = tmp_path / "same.yaml"
    same.write_text(record_text(now))
    assert _raised(same, now) == []
