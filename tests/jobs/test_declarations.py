"""Declarations against the functions they name: one says what the other takes."""

import inspect
from importlib import import_module

import pytest
from ruamel.yaml import YAML

from hfpl.jobs.settings import Settings
from hfpl.params.load import ParamsError, validate_params
from hfpl.params.presets import preset_names, preset_text
from hfpl.pipeline import JOBS, made_by

PRESETS = {
    name: validate_params(YAML(typ="safe", pure=True).load(preset_text(name)))
    for name in preset_names()
}


@pytest.mark.parametrize("name", JOBS)
def test_a_function_takes_the_files_that_its_job_declares(name):
    job = JOBS[name]
    module, _, function = job.function.partition(":")
    takes = inspect.signature(getattr(import_module(module), function)).parameters
    expected = {"settings", *job.names, *(f.name for f in (*job.inputs, *job.outputs) if f.option)}
    expected |= {"images"} if job.images else set()
    expected |= {"downloads"} if job.downloads else set()
    expected |= {"runtime"} if job.kind != "plain" else set()
    expected |= {"digest"} if job.kind == "training" else set()
    assert set(takes) == expected
    files = [p for n, p in takes.items() if n not in ("settings", "runtime")]
    assert all(p.kind is p.KEYWORD_ONLY for p in files)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_input_is_made_before_it_is_read_and_no_file_twice(preset):
    made: set[str] = set()
    for one in made_by(PRESETS[preset], "results/x"):
        for path in one.inputs:
            assert path in made or not path.startswith("results/")
        assert not made & set(one.outputs)
        assert not any("{" in path for path in (*one.inputs, *one.outputs))
        made |= set(one.outputs)
    assert "results/x/data/train-0.json" in made


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_declares_is_in_the_parameters(preset, name):
    job, params = JOBS[name], PRESETS[preset]
    if not job.when(params):
        return
    values = job.values(params)
    empty = {key for key, value in values.items() if value == {}}
    # A method without options, and a network without.
    assert all(key.startswith(("cam.methods.", "network.options")) for key in empty)
    assert isinstance(job.settings(params), Settings)
    assert all(" " in unit for unit in job.key(params)["code"].split(", "))


def test_a_comparison_looks_at_as_many_shards_of_train_as_it_is_told():
    text = preset_text("photographs", ["shards=5", "evaluate.train_shards=1"])
    params = validate_params(YAML(typ="safe", pure=True).load(text))
    for name in ("cam_calibrate", "evaluate_cams"):
        (one,) = JOBS[name].made(params, "x")
        assert {path for path in one.inputs if "train-" in path} == {
            path.replace("-1", "-0") for path in one.inputs if "train-" in path
        }
        assert any(path.endswith("/cam/train-0.zip") for path in one.inputs)
        assert "evaluate.train_shards" in JOBS[name].values(params)
    (one,) = JOBS["cam_train"].made(params, "x")
    assert "x/data/train-4.json" in one.inputs
    (one,) = JOBS["evaluate_cams"].made(params, "x")
    assert sum("/cam/val-" in path for path in one.inputs) == 5


def test_more_shards_than_there_are_cannot_be_scored():
    with pytest.raises(ParamsError, match="evaluate.train_shards: 3 of 2 shards cannot be"):
        preset_text("photographs", ["shards=2", "evaluate.train_shards=3"])
