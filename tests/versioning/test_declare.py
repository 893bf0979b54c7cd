"""``dvc.yaml`` says what the jobs say: it is made of them, and the committed one is theirs."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.params.load import load_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import STAGES, made_by, stages_of
from hfpl.versioning.declare import CODE, code_yaml, dvc_yaml, local_stages, results_of
from hfpl.versioning.objects import read_stages

RECORDS = "results/shapes/{}/provenance.json"


@pytest.fixture(scope="module")
def params(repository):
    return load_params(repository / "params.yaml")


@pytest.fixture(scope="module")
def stages(params, tmp_path_factory, repository):
    """Stages of the declaration, with the names that DVC puts in."""
    folder = tmp_path_factory.mktemp("declared")
    (folder / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    (folder / "dvc.yaml").write_text(dvc_yaml(params), encoding="utf-8")
    return read_stages(folder / "dvc.yaml")


def test_the_committed_files_are_those_of_the_jobs(repository: Path, params):
    hint = "run 'hfpl dvc write'"
    text = (repository / "dvc.yaml").read_text("utf-8")
    assert text == dvc_yaml(params), hint
    assert (repository / CODE).read_text("utf-8") == code_yaml(params), hint
    assert len(text.splitlines()) < 200  # a person can read it


def test_every_result_belongs_to_one_stage_and_comes_before_its_readers(stages, params):
    made: dict[str, str] = {}
    for stage, content in stages.items():
        for path in content.get("deps", []):
            # What another stage makes is made by an earlier one.
            assert path in made or not path.startswith("results/")
        for out in [*content["outs"], *content.get("metrics", [])]:
            path = next(iter(out)) if isinstance(out, dict) else out
            assert made.setdefault(path, stage) == stage
    for path, stage in results_of(params):
        assert made[path] == stage
    # The demo's pictures are nobody's own.
    assert list(stages) == ["code", *(stage for stage in STAGES if stage != "review")]


def test_a_stage_depends_on_the_records_of_the_stages_that_it_reads(stages):
    run = "seam-isl-fsl"
    data, backbone = RECORDS.format("data"), RECORDS.format("pretrain")
    cam, pseudo, affinity, walk, segment, evaluate = (
        RECORDS.format(f"{run}/{stage}")
        for stage in ("cam", "pseudo", "affinity", "walk", "segment", "evaluate")
    )
    found = {stage: set(content.get("deps", [])) for stage, content in stages.items()}
    assert found["data"] == found["pretrain"] == set()
    assert found["cam"] == {data, backbone}
    assert found["pseudo"] == {data, cam}
    assert found["affinity"] == {data, backbone, pseudo}
    assert found["walk"] == {data, cam, affinity}
    assert found["segment"] == {data, backbone, walk}
    assert found["evaluate"] == {data, cam, pseudo, walk, segment}
    assert found["report"] == {data, backbone, cam, affinity, walk, segment, evaluate}


def test_a_stage_has_the_parameters_and_the_code_of_its_jobs(stages, repository, params):
    file = YAML(typ="safe", pure=True).load((repository / "params.yaml").read_text("utf-8"))
    for stage in stages_of(params):
        *keys, code = stages[stage]["params"]
        made = [one.job for one in made_by(params, "x") if one.job.stage == stage]
        assert code[CODE] == list(dict.fromkeys(job.name for job in made))
        for key in keys:
            node = file
            for part in key.split("."):
                node = node[part]
        for job in made:
            for key in map(params.file_key, job.values(params)):
                assert any(f"{key}.".startswith(f"{k}.") for k in keys)


def test_results_that_are_not_pushed_are_chosen_in_the_declaration_alone(params, tmp_path):
    file = tmp_path / "dvc.yaml"
    (tmp_path / "params.yaml").write_text(preset_text("demo"), encoding="utf-8")
    assert local_stages(file) == []
    file.write_text(dvc_yaml(params, ["cam", "data"]), encoding="utf-8")
    assert local_stages(file) == ["data", "cam"]
    local = {
        path
        for stage in read_stages(file).values()
        for out in stage["outs"] if isinstance(out, dict)
        for path, options in out.items() if options == {"push": False}
    }  # fmt: skip
    run = "results/shapes/seam-isl-fsl"
    images = {f"{run}/cam/{split}-{k}.zip" for split in ("train", "val") for k in (0, 1)}
    assert local == {"results/shapes/data/shapes.zip", *images}
