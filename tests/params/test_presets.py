"""Presets: whole, checked parameter files as text."""

import math
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hfpl.params import ParamsError, load_params
from hfpl.params.grid import with_rows
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_names, preset_text


def parsed(text: str) -> dict:
    return YAML(typ="safe", pure=True).load(text)


def leaves_of(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def complaint(*settings_given: str, preset: str = "demo") -> str:
    with pytest.raises(ParamsError) as caught:
        preset_text(preset, settings_given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_whole_file_that_loads(name, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(preset_text(name), encoding="utf-8")
    params = load_params(path)
    assert params.variant in params.variants
    assert "base" not in parsed(preset_text(name))
    assert preset_text(name) == preset_text(name)
    # Null is a value of its own; everything else in the file survives the models unchanged.
    written = dict(leaves_of(with_rows(parsed(preset_text(name)))))
    assert dict(leaves_of(params.model_dump())) == written


def test_the_presets_of_the_embedded_data_set_are_there():
    assert {"demo", "micro"} <= set(preset_names())
    assert preset_names() == sorted(preset_names())


def test_the_committed_parameters_are_the_demo(repository: Path):
    assert (repository / "params.yaml").read_text(encoding="utf-8") == preset_text("demo")


def test_a_derived_preset_differs_from_its_base_only_where_it_says_so():
    folder = files("hfpl.params") / "presets"
    own = parsed((folder / "micro.yaml").read_text(encoding="utf-8"))
    assert own.pop("base") == "demo"
    base = dict(leaves_of(parsed(preset_text("demo"))))
    expected = {
        key: value
        for key, value in base.items()
        if not key.startswith(("datasets.", "network.options.", "ablation.sweeps."))
    }
    expected.update(leaves_of(own))
    assert dict(leaves_of(parsed(preset_text("micro")))) == expected


def test_comments_of_the_preset_reach_the_file():
    lines = preset_text("demo", ["cam.fsl.mu=2.75"]).splitlines()
    assert lines[0].startswith("# ")
    assert any(line.startswith("  weights: pretrain") and "#" in line for line in lines)
    before, after = preset_text("demo").splitlines(), lines
    assert len(before) == len(after)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1e6, exclude_min=True), st.integers(0, 2**32 - 1))
def test_a_number_that_is_set_arrives_to_the_bit(lr, seed):
    text = preset_text("demo", [f"cam.optimiser.lr={lr!r}", f"variants.seam.seed={seed}"])
    params = validate_params(parsed(text))
    assert params.cam.optimiser.lr == lr
    assert params.variants["seam"].seed == seed


def test_settings_win_over_the_preset_and_the_later_over_the_earlier():
    given_values = ["walk.beta=3", "cam.inference.scales=[1.0]", "walk.beta=1e-4", "shards=7"]
    content = parsed(preset_text("micro", given_values))
    assert content["walk"]["beta"] == pytest.approx(1e-4, abs=0)
    assert content["cam"]["inference"]["scales"] == [1.0]
    assert content["shards"] == 7
    assert math.isclose(content["walk"]["background_power"], 6.0)


def test_entries_and_whole_sections_can_be_set():
    sgd = (
        "{name: sgd, lr: 1e-2, weight_decay: 5e-4, momentum: 5e-4, power: 0.9, "
        "factors: {biases: 2, new_weights: 10, new_biases: 20}}"
    )
    text = preset_text(
        "demo",
        [
            "variants.mine={method: seam, isl: multinomial, fsl: true, seed: 3}",
            "variant=mine",
            f"cam.optimiser={sgd}",
            "cam.fsl.sigma=null",
            "variants.yours.method=seam",
            "variants.yours.isl=none",
            "variants.yours.fsl=false",
            "variants.yours.seed=4",
        ],
    )
    params = validate_params(parsed(text))
    assert params.variants[params.variant].isl == "multinomial"
    assert params.cam.optimiser.name == "sgd"
    assert params.cam.optimiser.momentum == pytest.approx(5e-4, abs=0)
    assert params.cam.fsl.sigma is None
    assert params.variants["yours"].seed == 4
    assert set(params.variants) - set(with_rows(parsed(preset_text("demo")))["variants"]) == {
        "mine",
        "yours",
    }


def test_an_unknown_preset_is_answered_with_the_nearest():
    assert complaint(preset="dem") == "preset 'dem': unknown; did you mean 'demo'?"
    assert "micro" in complaint(preset="zzzz")
    assert complaint(preset="../presets/demo").startswith("preset '../presets/demo': unknown")


@pytest.mark.parametrize("setting", ["walk.beta", "=3", "walk.beta:3", ""])
def test_a_setting_without_key_or_value_is_named(setting):
    assert complaint(setting) == f"--set {setting}: expected section.key=value"


@pytest.mark.parametrize("value", ["[1.0", "{a: 1", "a: b: c", "'open"])
def test_a_value_that_is_no_yaml_is_named(value):
    assert complaint(f"walk.beta={value}") == (
        f"--set walk.beta={value}: '{value}' is not a YAML value"
    )


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        ("walk.bata=3", "walk.bata: unknown key; did you mean 'beta'?"),
        ("wlak.beta=3", "wlak: unknown key; did you mean 'walk'?"),
        ("walk..beta=3", "walk.: unknown key"),
        ("cam.epochs=off", "cam.epochs: "),
        ("cam.epochs.more=3", "cam.epochs: "),
        ("walk=3", "walk: "),
        ("variant=sean", "variant: 'sean' is not in variants; did you mean 'seam'?"),
        ("datasets.shape.size=64", "datasets.shape.format: missing; "),
        ("variants.seam-ils.fsl=true", "variants.seam-ils.isl: missing; "),
        ("network.options.stirde=4", "network.options.stirde: unknown option of 'small'"),
    ],
)
def test_a_setting_that_does_not_hold_is_named_by_its_key(setting, start):
    assert complaint(setting).startswith(f"preset demo: {start}")


@pytest.mark.parametrize(
    ("setting", "end"),
    [
        ("datasets.shape.size=64", "did you mean 'shapes'?"),
        ("variants.seam-ils.fsl=true", "did you mean 'seam-isl'?"),
        ("variants.other.fsl=true", "writes every key)"),
    ],
)
def test_an_entry_that_may_be_a_misspelt_one_is_answered_with_the_nearest(setting, end):
    assert complaint(setting).endswith(end)


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("my photos #1", "my photos #1"),
        ("a: b", "a: b"),
        ("2024", "2024"),
        ("yes", "yes"),
        ("  x y ", "x y"),
        ("'quoted # text'", "quoted # text"),
        ("[odd] name", None),
    ],
)
def test_a_value_that_is_text_takes_the_text(given, root):
    setting = f"datasets.folder.root={given}"
    if root is None:
        with pytest.raises(ParamsError, match="not a YAML value|valid string"):
            preset_text("folder", [setting])
    else:
        content = YAML(typ="safe").load(preset_text("folder", [setting]))
        assert content["datasets"]["folder"]["root"] == root
