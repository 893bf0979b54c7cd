"""``dvc.yaml`` says what the rules say: it is made of them, and the committed one is theirs."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.params.active import JOBS, active_params
from hfpl.params.load import load_params
from hfpl.params.reruns import stage_of
from hfpl.versioning.declare import CODE, code_yaml, dvc_yaml, local_stages
from hfpl.versioning.facts import planned_outputs


@pytest.fixture(scope="module")
def outputs(repository, tmp_path_factory):
    """The plan of the committed parameters."""
    folder = tmp_path_factory.mktemp("plan")
    shutil.copy(repository / "params.yaml", folder)
    return planned_outputs(["-s", str(repository / "workflow/Snakefile"), "-d", str(folder)])


@pytest.fixture(scope="module")
def stages(repository, outputs):
    text = dvc_yaml(load_params(repository / "params.yaml"), outputs)
    return YAML(typ="safe", pure=True).load(text)["stages"]


def test_the_committed_files_are_those_of_the_rules(repository: Path, outputs):
    params = load_params(repository / "params.yaml")
    hint = "run 'hfpl dvc write'"
    assert (repository / "dvc.yaml").read_text("utf-8") == dvc_yaml(params, outputs), hint
    assert (repository / CODE).read_text("utf-8") == code_yaml(params), hint


def test_every_result_belongs_to_one_stage_and_comes_before_its_readers(stages, outputs):
    made: dict[str, str] = {}
    for stage, content in stages.items():
        for path in content.get("deps", []):
            # What another stage makes is made by an earlier one.
            assert path in made or not path.startswith("results/")
        for out in [*content["outs"], *content.get("metrics", [])]:
            path = next(iter(out)) if isinstance(out, dict) else out
            assert made.setdefault(path, stage) == stage
    assert {output.path for output in outputs} <= made.keys()
    assert {made[output.path] for output in outputs} == stages.keys() - {"code"}
    for output in outputs:
        assert made[output.path] == output.stage
        read = {path for path in output.inputs if made[path] != output.stage}
        assert read <= set(stages[output.stage].get("deps", []))


def test_a_stage_depends_on_what_it_reads_of_others(stages):
    run, shards = (
        "results/shapes/seam-isl-fsl",
        [f"{s}-{k}" for s in ("train", "val") for k in (0, 1)],
    )
    manifests = {f"results/shapes/data/{shard}.json" for shard in shards}
    archive = "results/shapes/data/shapes.zip"
    cams = {f"{run}/cam/{shard}.zip" for shard in shards}
    scores = {f"{run}/pseudo/train-{k}.{kind}.zip" for k in (0, 1) for kind in ("low", "high")}
    backbone = "results/shapes/pretrain/backbone.safetensors"
    found = {stage: set(content.get("deps", [])) for stage, content in stages.items()}
    assert found["data"] == found["pretrain"] == set()
    assert found["cam"] == {*manifests, archive, backbone}
    assert found["pseudo"] == {*manifests, archive, *cams}
    trained = {path for path in manifests if "train" in path}
    assert found["affinity"] == {*trained, archive, backbone, *scores}
    assert found["walk"] == {*manifests, archive, *cams, f"{run}/affinity/model.safetensors"}
    for stage in ("segment", "evaluate", "report"):
        assert f"{run}/walk/train-0.zip" in found[stage]


def test_a_stage_has_the_parameters_and_the_code_of_its_jobs(repository, stages):
    params = load_params(repository / "params.yaml")
    for stage, content in stages.items():
        if stage == "code":
            continue
        jobs = {job for job in JOBS if stage_of(job) == stage} - {"data_download", "data_convert"}
        *keys, code = content["params"]
        assert set(code[CODE]) == jobs
        assert set(keys) == {key for job in jobs for key in active_params(params, job)}


def test_results_that_are_not_pushed_are_chosen_in_the_declaration_alone(
    repository, outputs, tmp_path
):
    params, file = load_params(repository / "params.yaml"), tmp_path / "dvc.yaml"
    assert local_stages(file) == []
    file.write_text(dvc_yaml(params, outputs, ["cam", "data"]), encoding="utf-8")
    assert local_stages(file) == ["data", "cam"]
    stages = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))["stages"]
    local = {
        path
        for stage in stages.values()
        for out in stage["outs"] if isinstance(out, dict)
        for path, options in out.items() if options == {"push": False}
    }  # fmt: skip
    run = "results/shapes/seam-isl-fsl"
    images = {f"{run}/cam/{split}-{k}.zip" for split in ("train", "val") for k in (0, 1)}
    assert local == {"results/shapes/data/shapes.zip", *images}


def test_a_plan_that_cannot_be_made_is_one_line(tmp_path, repository):
    (tmp_path / "params.yaml").write_text("dataset: 3\n")
    with pytest.raises(ValueError, match=r"^no plan: .*params\.yaml") as error:
        planned_outputs(["-s", str(repository / "workflow/Snakefile"), "-d", str(tmp_path)])
    assert "\n" not in str(error.value)
