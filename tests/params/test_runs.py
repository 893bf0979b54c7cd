"""Runs: variants with changed values, and their names."""

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hfpl.params import ParamsError
from hfpl.params.load import resolve, validate_params
from hfpl.params.presets import preset_text
from hfpl.params.runs import ablation_runs, final_runs, run_name, run_parts, run_pattern
from hfpl.pipeline import JOBS

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))
PARAMS = validate_params(DEMO)


def ablation(**changes) -> dict:
    content = copy.deepcopy(DEMO)
    content["ablation"].update(changes)
    return content


def complaint(action) -> str:
    with pytest.raises(ParamsError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_variant_is_a_run_of_its_own_name():
    for name in PARAMS.variants:
        assert run_name(PARAMS, name, {}) == name
        found = resolve(PARAMS, name)
        assert found.variant == name
        assert found.model_copy(update={"variant": PARAMS.variant}) == PARAMS


def test_changed_values_stand_in_the_name_sorted_and_what_is_no_change_does_not():
    name = run_name(PARAMS, "cam-isl-fsl", {"seed": 2, "cam.fsl.mu": 3.0, "cam.isl.samples": 10})
    assert name == "cam-isl-fsl@cam.fsl.mu=3.0@seed=2"
    assert run_parts(name) == ("cam-isl-fsl", {"cam.fsl.mu": "3.0", "seed": "2"})
    assert run_name(PARAMS, "cam-isl-fsl", {"seed": 0, "cam.fsl.mu": 2.0}) == "cam-isl-fsl"


def test_a_run_s_parameters_are_the_variant_s_but_for_its_changes():
    found = resolve(PARAMS, "cam-isl-fsl@cam.fsl.mu=3.0@seed=2")
    for job in JOBS.values():
        expected = job.values(PARAMS.of_variant("cam-isl-fsl"))
        for key, value in {"cam.fsl.mu": 3.0, "chosen.variant.seed": 2}.items():
            if key in expected:
                expected[key] = value
        assert job.values(found) == expected
    assert PARAMS.cam.fsl.mu == 2.0


VALUES = {
    "seed": st.integers(0, 2**32 - 1),
    "cam.fsl.mu": st.floats(-100, 100),
    "cam.fsl.sigma": st.one_of(st.none(), st.floats(1e-6, 1e6)),
    "cam.fsl.form": st.sampled_from(["max_norm", "softmax"]),
    "cam.isl.samples": st.integers(1, 10**4),
    "cam.methods.seam.view_scale": st.floats(0.01, 0.99),
}


@settings(deadline=None, max_examples=60)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_every_name_leads_to_the_values_it_was_made_of(changes):
    name = run_name(PARAMS, "seam-isl-fsl", changes)
    assert re.fullmatch(run_pattern(PARAMS), name)
    found = resolve(PARAMS, name)
    expected = PARAMS.model_dump()
    for key, value in changes.items():
        *path, last = f"variants.seam-isl-fsl.{key}".split(".") if key == "seed" else key.split(".")
        node = expected
        for part in path:
            node = node[part]
        node[last] = value
    for section in ("variants", "cam"):
        assert found.model_dump()[section] == expected[section]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("saem", "saem: not in variants; known: seam, "),
        ("seam@seed=-1", "seam@seed=-1: variants.seam.seed: "),
        ("seam@seed=x", "seam@seed=x: variants.seam.seed: "),
        ("seam@seed=[1", "seam@seed=[1: '[1' is not a YAML value"),
        ("seam@seed", "seam@seed: variants.seam.seed: "),
        ("seam@cam.fsl.mux=1", "seam@cam.fsl.mux=1: cam.fsl.mux: unknown key; did you mean 'mu'?"),
        ("seam@pretrain.epochs=3", "seam@pretrain.epochs=3: pretrain.epochs: a run changes "),
        ("seam@cam.weights=a.pth", "seam@cam.weights=a.pth: cam.weights: a run changes "),
        ("seam@dataset=other", "seam@dataset=other: dataset: a run changes "),
    ],
)
def test_a_run_that_cannot_be_is_named(name, message):
    assert complaint(lambda: resolve(PARAMS, name)).startswith(message)


@pytest.mark.parametrize(
    "name", ["seam/x", "seam@", "seam@seed", "seam@seed=1/2", "other", "@seed=1"]
)
def test_what_is_no_run_does_not_match_the_pattern(name):
    assert not re.fullmatch(run_pattern(PARAMS), name)


def test_the_ablation_holds_every_variant_and_sweep_with_every_seed_once():
    content = ablation(
        seeds=[0, 5],
        variants=["seam", "cam-isl-fsl"],
        sweeps={"cam-isl-fsl": ["cam.fsl.mu=1", "cam.fsl.mu=2.0", "cam.isl.weight=0.5"]},
        final=["cam"],
    )
    params = validate_params(content)
    assert ablation_runs(params) == [
        "seam",
        "seam@seed=5",
        "cam-isl-fsl",
        "cam-isl-fsl@seed=5",
        "cam-isl-fsl@cam.fsl.mu=1",
        "cam-isl-fsl@cam.fsl.mu=1@seed=5",
        "cam-isl-fsl@cam.isl.weight=0.5",
        "cam-isl-fsl@cam.isl.weight=0.5@seed=5",
    ]
    assert final_runs(params) == ["cam", "cam@seed=5"]
    for name in ablation_runs(params):
        resolve(params, name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": ["seam", "cma"]}, "ablation.variants.1: unknown variant 'cma'; did you"),
        ({"final": ["x"]}, "ablation.final.0: unknown variant 'x'; known: "),
        ({"sweeps": {"saem": []}}, "ablation.sweeps.saem: unknown variant 'saem'; did "),
        (
            {"sweeps": {"cam-isl": ["cam.fsl.mu=1.0"]}},
            "ablation.sweeps.cam-isl: 'cam.fsl.mu' is",
        ),
        ({"sweeps": {"cam": ["pretrain.lr=1.0"]}}, "ablation.sweeps.cam.0: "),
        ({"sweeps": {"cam": ["cam.weights=a.pth"]}}, "ablation.sweeps.cam: 'cam.weights' is"),
        ({"sweeps": {"cam": ["cam.epochs=0"]}}, "cam@cam.epochs=0: cam.epochs: "),
        ({"seeds": []}, "ablation.seeds: "),
        ({"seeds": [-1]}, "ablation.seeds.0: "),
    ],
)
def test_an_ablation_that_cannot_be_run_is_named(changes, message):
    found = complaint(lambda: validate_params(ablation(**changes), "p"))
    assert found.removeprefix("p: ").startswith(message)


def test_every_variant_s_method_needs_a_threshold():
    content = copy.deepcopy(DEMO)
    del content["evaluate"]["background_score"]["puzzle"]
    assert complaint(lambda: validate_params(content, "p")).startswith(
        "p: evaluate.background_score.puzzle: missing; variant 'puzzle' needs it"
    )
