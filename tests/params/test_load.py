"""Mistakes in the parameters: one line that names the file, the key and what to do."""

import copy
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from hfpl.params import Params, ParamsError, load_params
from hfpl.params.grid import with_rows
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))
DISCRIMINATORS = {
    "datasets.shapes.format",
    "cam.optimiser.name",
    "affinity.optimiser.name",
    "segment.optimiser.name",
}
DELETED = object()


def leaves_of(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, dict):
            yield from leaves_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


LEAVES = dict(leaves_of(DEMO))
PLAIN = [key for key in LEAVES if key not in DISCRIMINATORS]
FLOATS = [key for key, value in LEAVES.items() if isinstance(value, float)]


def changed(key: str, value: object, start: dict = DEMO) -> dict:
    """The demo's content with one dotted key set, or taken out."""
    content = copy.deepcopy(start)
    *path, last = key.split(".")
    node = content
    for part in path:
        # A row of variants may stand there, and goes before the grid.
        node = node.setdefault(part, {}) if path[0] == "variants" else node[part]
    if value is DELETED:
        del node[last]
    else:
        node[last] = value
    return content


def message(content: object) -> str:
    """The complaint about a content, without the file; empty where the content holds."""
    try:
        validate_params(content, "some.yaml")
    except ParamsError as error:
        text = str(error)
    else:
        return ""
    assert text.startswith("some.yaml: ")
    assert "\n" not in text
    assert len(text) < 400
    return text.removeprefix("some.yaml: ")


def test_the_demo_holds_with_every_value_as_written():
    params = validate_params(DEMO)
    assert isinstance(params, Params)
    assert dict(leaves_of(params.model_dump())) == dict(leaves_of(with_rows(DEMO)))
    with pytest.raises(ValidationError):
        params.shards = 3


def misspelt(key: str) -> str:
    section, dot, name = key.rpartition(".")
    swapped = name[:-2] + name[-1] + name[-2]
    return f"{section}{dot}{swapped if swapped != name else name + 'e'}"


def test_a_misspelt_key_is_named_with_the_right_spelling():
    wrong = {}
    for key in PLAIN:
        if len(name := key.rpartition(".")[2]) > 3:
            text = message(changed(misspelt(key), LEAVES[key], changed(key, DELETED)))
            said = "unknown .*"
            if key.startswith("evaluate.background_score."):
                wrong_name = misspelt(key).rpartition(".")[2]
                said = rf"no file '{wrong_name}\.py' in hfpl/plugins/methods"
            if not re.fullmatch(rf"{misspelt(key)}: {said}; did you mean '{name}'\?", text):
                wrong[key] = text
    assert wrong == {}


@pytest.mark.parametrize("section", ["walk", "segment.head", "cam.augmentation", "cam.optimiser"])
def test_a_key_like_no_other_is_answered_with_those_there_are(section):
    text = message(changed(f"{section}.zzzzqqqq", 1))
    assert text.startswith(f"{section}.zzzzqqqq: unknown key; known: ")
    node = DEMO
    for part in section.split("."):
        node = node[part]
    assert text.endswith(", ".join(sorted(node)))


def test_an_unknown_key_wins_over_the_missing_one_it_stands_for():
    content = changed("pretrain.epochs", DELETED, changed("walk.bata", 8.0))
    assert message(content) == "walk.bata: unknown key; did you mean 'beta'?"


def test_a_key_of_another_format_or_optimiser_is_unknown():
    assert message(changed("cam.optimiser.momentum", 0.9)).startswith(
        "cam.optimiser.momentum: unknown key"
    )
    assert message(changed("datasets.shapes.root", "photos")).startswith(
        "datasets.shapes.root: unknown key"
    )
    sgd = {**DEMO["cam"]["optimiser"], "name": "sgd", "momentun": 0.9}
    assert message(changed("cam.optimiser", sgd)) == (
        "cam.optimiser.momentun: unknown key; did you mean 'momentum'?"
    )


def not_named(keys: list[str], value: object, start: str = "") -> dict[str, str]:
    """Keys that the complaint about such a value does not begin with, and the complaint."""
    texts = {key: message(changed(key, value)) for key in keys}
    return {key: text for key, text in texts.items() if not text.startswith(f"{key}: {start}")}


def test_a_missing_key_is_named():
    keys = [key for key in PLAIN if not key.startswith("ablation.sweeps.")]  # There may be none.
    assert not_named(keys, DELETED, "missing") == {}


def test_a_value_of_the_wrong_type_is_named():
    # A stage's network may be a section of its own, whose keys are named.
    found = not_named(PLAIN, {"a": 1})
    assert found.keys() == {f"{stage}.network" for stage in ("cam", "affinity", "segment")}
    assert all(text.startswith(f"{key}.a: unknown key; known: ") for key, text in found.items())
    assert not_named(PLAIN, b"bytes") == {}


@pytest.mark.parametrize("key", ["datasets.shapes.format", "cam.optimiser.name"])
def test_a_missing_or_unknown_discriminator_is_named(key):
    assert message(changed(key, DELETED)).startswith(f"{key}: missing")
    text = message(changed(key, "adman"))
    assert text.startswith(f"{key}: ")
    known = ("'shapes'", "'voc'") if key.startswith("datasets") else ("'sgd'", "'adamw'")
    assert all(name in text for name in ("'adman'", *known))


@pytest.mark.parametrize(
    ("key", "value", "bound"),
    [
        ("shards", 0, "1"),
        ("datasets.shapes.size", 16, "32"),
        ("datasets.shapes.classes", 7, "6"),
        ("variants.seam.seed", -1, "0"),
        ("variants.seam.seed", 2**32, "4294967296"),
        ("variants.seam.isl", "bionmial", "'binomial'"),
        ("cam.epochs", 0, "1"),
        ("cam.isl.weight", 1.5, "1"),
        ("cam.fsl.sigma", 0.0, "0"),
        ("cam.augmentation.jitter.hue", 0.6, "0.5"),
        ("cam.augmentation.resize", [1.0], "2 items"),
        ("cam.inference.scales", [], "1 item"),
        ("segment.optimiser.lr", 0.0, "0"),
        ("segment.head.dropout", 1.0, "1"),
        ("affinity.channels", [16, 32], "3 items"),
        ("walk.log_steps", 13, "12"),
        ("evaluate.background_score.seam", -0.1, "0"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_bound(key, value, bound):
    text = message(changed(key, value))
    assert text.startswith(f"{key}: ")
    assert bound in text.partition(", found")[0]
    assert repr(value) in text


def test_an_element_of_a_list_is_named_by_its_place():
    assert message(changed("segment.test.scales", [1.0, -1.0])).startswith(
        "segment.test.scales.1: "
    )


def test_what_is_no_finite_number_is_refused():
    assert not_named(FLOATS, float("nan")) == {}
    assert not_named(FLOATS, float("inf")) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cam.epochs", True),
        ("cam.epochs", 20.0),
        ("cam.epochs", "20"),
        ("cam.optimiser.lr", "1e-3"),
        ("cam.optimiser.lr", True),
        ("variants.seam.fsl", "false"),
        ("variants.seam.fsl", 0),
        ("network.weights", 3),
    ],
)
def test_types_are_not_guessed(key, value):
    assert message(changed(key, value)).endswith(f"found {value!r}")


def test_a_whole_number_is_a_number():
    params = validate_params(changed("cam.optimiser.lr", 1))
    assert params.cam.optimiser.lr == 1.0
    assert validate_params(changed("cam.fsl.sigma", None)).cam.fsl.sigma is None


@pytest.mark.parametrize("section", ["cam", "cam.optimiser", "datasets", "variants.seam", "walk"])
@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_a_section_that_is_none_is_named(section, value):
    assert message(changed(section, value)).startswith(f"{section}: ")


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
SECTIONS = sorted({key.rpartition(".")[0] for key in LEAVES} - {""})


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([*LEAVES, *SECTIONS]), JSON)
def test_whatever_stands_at_a_key_is_accepted_or_explained(key, value):
    text = message(changed(key, value))  # one line, and no other exception
    assert text == "" or ": " in text


def test_loading_names_the_file(tmp_path: Path):
    path = tmp_path / "my params.yaml"
    path.write_text(preset_text("demo"), encoding="utf-8")
    assert load_params(path) == validate_params(DEMO)
    path.write_text(preset_text("demo").replace("log_steps", "logsteps"), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    expected = f"{path}: walk.logsteps: unknown key; did you mean 'log_steps'?"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "evaluate.metrics: list should have at least 1 item"),
        (["contour_f"], "evaluate.metrics: add miou: the threshold curve of the CAMs is of it"),
        (["miou", "miou"], "evaluate.metrics: 'miou' stands there twice"),
        (
            ["miou", "countour_f"],
            "evaluate.metrics.1: no file 'countour_f.py' in hfpl/plugins/metrics; did you mean "
            "'contour_f'?",
        ),
        (["miou", "interface"], "evaluate.metrics.1: no file 'interface.py' in hfpl/plugins/"),
    ],
)
def test_metrics_are_files_each_named_once_with_miou(value, text):
    assert message(changed("evaluate.metrics", value)).startswith(text)
    assert message(changed("evaluate.metrics", ["boundary_iou", "miou"])) == ""


@pytest.mark.parametrize("section", ["pseudo", "segment.test"])
def test_a_refiner_is_a_file_and_its_options_stand_beside_it(section):
    assert message(changed(f"{section}.refiner", "crff")) == (
        f"{section}.refiner: no file 'crff.py' in hfpl/plugins/refiners; did you mean 'crf'?"
    )
    assert message(changed(f"{section}.crf", DELETED)).startswith(f"{section}.crf: missing")
    assert message(changed(f"{section}.crff", {})).startswith(
        f"{section}.crff: unknown key; did you mean 'crf'?"
    )
    content = changed(f"{section}.crfg", {}, changed(f"{section}.crf", DELETED))
    assert message(content) == f"{section}.crfg: unknown key; did you mean 'crf'?"
