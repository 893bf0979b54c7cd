"""What each job depends on: every key that matters to it, and none that does not."""

import copy
from collections.abc import Iterator

import pytest
from ruamel.yaml import YAML

from hfpl.params import Params
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS
from tests.used_by import CAM, TRAININGS, expected

WHOLE = {"only": None, "limit": None}
"""A data set of which all is taken."""

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))
PARAMS = validate_params(DEMO)


def leaves_of(node: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from leaves_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


LEAVES = dict(leaves_of(DEMO))


def read(params: Params, job: str, variant: str | None = None) -> dict[str, object]:
    """What a job reads, by the keys of the file; nothing where a run has no such job."""
    own = params.of_variant(variant or params.variant)
    values = JOBS[job].values(own) if JOBS[job].when(own) else {}
    return {own.file_key(key): value for key, value in values.items()}


def users(key: str, params: Params, variant: str | None = None) -> set[str]:
    return {job for job in JOBS if key in read(params, job, variant)}


def with_content(**tables: dict) -> Params:
    """Parameters of the demo with further entries in tables; not checked across sections."""
    content = copy.deepcopy(DEMO)
    content["datasets"].update(tables.get("datasets", {}))
    content["variants"].update(tables.get("variants", {}))
    content["cam"]["methods"].update(tables.get("methods", {}))
    content["evaluate"]["background_score"].update(tables.get("thresholds", {}))
    content.update(tables.get("top", {}))
    return Params.model_validate(content)


@pytest.mark.parametrize("variant", list(PARAMS.variants))
@pytest.mark.parametrize("job", list(JOBS))
def test_active_keys_stand_in_the_file_with_the_same_values(job, variant):
    found = read(PARAMS, job, variant)
    # A method without options has a section without keys.
    found = {key: value for key, value in found.items() if value != {} and key != "variant"}
    assert set(found) <= set(LEAVES)
    assert found == {key: LEAVES[key] for key in found}


def test_every_value_of_the_demo_matters_to_some_job():
    active = {key for job in JOBS for name in PARAMS.variants for key in read(PARAMS, job, name)}
    # The grid says which variants there are, and the ablation which runs.
    unused = {key for key in set(LEAVES) - active if not key.startswith("ablation.")}
    # CAMs are not calibrated there, and all are scored.
    of_others = {"cam.calibration.threshold", "evaluate.train_shards", "segment.corrections.weight"}
    assert unused == {"grid.methods", *of_others}


def test_keys_matter_to_the_jobs_that_use_them_and_to_no_others():
    others = tuple(f"grid.losses.{name}." for name in DEMO["grid"]["losses"] if name != "isl-fsl")
    wrong = {}
    for key in LEAVES:
        if key.startswith(others):
            continue
        if users(key, PARAMS) != expected(key):
            wrong[key] = users(key, PARAMS)
    assert wrong == {}


@pytest.mark.parametrize("variant", list(PARAMS.variants))
def test_settings_of_a_loss_that_is_off_are_no_dependency(variant):
    chosen = PARAMS.variants[variant]
    isl = {"cam_train"} if chosen.isl != "none" else set()
    fsl = {"cam_train"} if chosen.fsl else set()
    assert users("cam.isl.weight", PARAMS, variant) == isl
    # The mean over all positions draws none.
    assert users("cam.isl.samples", PARAMS, variant) == (isl if chosen.isl != "expected" else set())
    assert users("cam.isl.start", PARAMS, variant) == isl
    for key in ("cam.fsl.form", "cam.fsl.weight", "cam.fsl.mu", "cam.fsl.sigma", "cam.fsl.repel"):
        assert users(key, PARAMS, variant) == fsl


def test_other_entries_of_the_tables_are_no_dependency():
    lists = {"training": "trainaug", "train": "train", "val": "val"}
    more = with_content(
        datasets={"mine": {"format": "voc", "root": "photos", "lists": lists, **WHOLE}},
        variants={"extra": {"method": "other", "isl": "none", "fsl": False, "seed": 9}},
        methods={"other": {"width": 3}},
        thresholds={"other": 0.5},
    )
    for job in JOBS:
        assert read(more, job) == read(PARAMS, job)
    assert users("cam.methods.other.width", more, "extra") == CAM
    assert users("cam.methods.seam.dropout", more, "extra") == set()
    assert users("variants.extra.seed", more, "extra") == TRAININGS
    assert users("evaluate.background_score.other", more, "extra") == {"evaluate_cams"}
    for job in set(JOBS) - TRAININGS - CAM - {"evaluate_cams"}:
        assert read(more, job, "extra") == read(more, job)


def test_options_of_another_refiner_are_no_dependency():
    box = {"box": {"side": 3}}
    pseudo, segment = DEMO["pseudo"], DEMO["segment"]
    test = {**segment["test"], **box}
    more = with_content(top={"pseudo": {**pseudo, **box}, "segment": {**segment, "test": test}})
    for job in ("pseudo", "segment_test", "evaluate_masks"):
        assert read(more, job) == read(PARAMS, job)
    chosen = with_content(top={"pseudo": {**pseudo, **box, "refiner": "box"}})
    assert users("pseudo.box.side", chosen) == {"pseudo"}
    assert users("pseudo.crf.iterations", chosen) == set()
    assert JOBS["pseudo"].plugins(chosen) == ["hfpl.plugins.refiners.box"]


def everything(content: dict) -> dict[tuple[str, str], dict]:
    """What every job of every variant reads."""
    params = validate_params(content)
    of = {name: params.of_variant(name) for name in params.variants}
    return {
        (v, name): job.values(of[v])
        for v in params.variants
        for name, job in JOBS.items()
        if job.when(of[v])
    }


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("variants.puzzle-fsl.seed", 9, {"puzzle-fsl": TRAININGS}),
        ("variants.seam.isl", "multinomial", {"seam": {"cam_train"}}),
        ("variants.ppc.fsl", True, {"ppc": {"cam_train"}}),
        ("variants.cam.method", "puzzle", {"cam": {*CAM, "evaluate_cams"}}),
        ("cam.methods.puzzle.alpha", 4.0, {"puzzle": CAM}),
        ("cam.methods.ppc.view_size", 32, {"ppc": CAM}),
        ("cam.rates.ppc", 2.0, {"ppc": {"cam_train"}}),
        ("evaluate.background_score.cam", 0.5, {"cam": {"evaluate_cams"}}),
    ],
)
def test_a_row_matters_to_its_variant_and_options_to_their_method_s(key, value, changed):
    content = copy.deepcopy(DEMO)
    *path, last = key.split(".")
    node = content
    for part in path:
        node = node.setdefault(part, {})
    node[last] = value
    before, after = everything(DEMO), everything(content)
    found = {}
    for (variant, job), params in after.items():
        if params != before[variant, job]:
            found.setdefault(variant, set()).add(job)
    if not key.startswith("variants."):
        ((method, jobs),) = changed.items()
        rows = PARAMS.variants
        changed = {name: jobs for name, row in rows.items() if row.method == method}
        assert len(changed) >= 4
    assert found == changed


def test_a_method_without_options_needs_no_entry():
    variant = {"method": "plain", "isl": "none", "fsl": False, "seed": 0}
    params = with_content(variants={"plain": variant})
    found = read(params, "cam_infer", "plain")
    assert found["variants.plain.method"] == "plain"
    assert {key: v for key, v in found.items() if "methods" in key} == {"cam.methods.plain": {}}


def test_the_place_of_a_folder_is_no_dependency_and_its_lists_are():
    lists = {"training": "trainaug", "train": "train", "val": "val"}
    entry = {"format": "voc", "root": "photos", "lists": lists, **WHOLE}
    params = with_content(datasets={"mine": entry}, top={"dataset": "mine"})
    used = {"data_index": {"training", "val"}, "data_masks": {"train", "val"}}
    for job, names in used.items():
        wanted = {f"datasets.mine.lists.{name}": lists[name] for name in names}
        wanted["datasets.mine.format"] = "voc"
        wanted |= {f"datasets.mine.{key}": None for key in WHOLE}
        if job == "data_index":
            wanted |= {"dataset": "mine", "shards": DEMO["shards"]}
        assert read(params, job) == wanted
    assert users("datasets.mine.root", params) == set()


def test_a_checksum_is_a_dependency_and_a_mirror_is_none():
    params = validate_params(YAML(typ="safe", pure=True).load(preset_text("voc2012")))
    source = "datasets.voc2012.sources.trainval"
    used = {"md5": {"data_download"}, "urls": set(), "file": set(), "size": set()}
    for key, jobs in used.items():
        assert users(f"{source}.{key}", params) == jobs
    wanted = {"data_archive", "data_index", "data_masks"}
    assert users("datasets.voc2012.format", params) == wanted
    # The job is told all the same, and may read it.
    settings = JOBS["data_download"].settings(params)
    assert settings.chosen.dataset.sources.trainval.file == "VOCtrainval_11-May-2012.tar"


def test_a_folder_s_size_and_share_matter_to_its_index_alone():
    entry = {"format": "folder", "root": "photos", "max_side": 500, "val_share": 0.2}
    params = with_content(datasets={"mine": entry}, top={"dataset": "mine"})
    assert {k for k in read(params, "data_index") if k.startswith("datasets.")} == {
        "datasets.mine.format",
        "datasets.mine.max_side",
        "datasets.mine.val_share",
    }
    assert read(params, "data_masks") == {"datasets.mine.format": "folder"}
    # Which format it is, and nothing else; the folder itself counts by its content.
    assert read(params, "data_corrections") == {"datasets.mine.format": "folder"}
    for job in set(JOBS) - {"data_index", "data_masks", "data_corrections"}:
        assert not any(key.startswith("datasets.") for key in read(params, job))


def test_a_null_is_a_value():
    content = copy.deepcopy(DEMO)
    content["cam"]["fsl"]["sigma"] = None
    found = read(validate_params(content), "cam_train")
    assert "cam.fsl.sigma" in found
    assert found["cam.fsl.sigma"] is None


@pytest.mark.parametrize(
    ("stage", "job"), [("cam", "cam_train"), ("affinity", "affinity"), ("segment", "segment_train")]
)
def test_a_stage_with_a_file_of_its_own_does_not_depend_on_the_shared_weights(stage, job):
    content = copy.deepcopy(DEMO)
    content[stage]["weights"] = "mine.pth"
    params = validate_params(content)
    assert users("network.weights", params) == TRAININGS - {job}
    assert users(f"{stage}.weights", params) == {job}
