"""Parameters that are right each by itself and impossible together."""

import copy

import pytest
from ruamel.yaml import YAML

from hfpl.params import ParamsError
from hfpl.params.load import validate_params
from hfpl.params.presets import preset_text

WHOLE = {"only": None, "limit": None}
"""A data set of which all is taken."""

DEMO = YAML(typ="safe", pure=True).load(preset_text("demo"))


def changed(**values: object) -> dict:
    """The demo's content with dotted keys set; ``__`` stands for the dot."""
    content = copy.deepcopy(DEMO)
    for key, value in values.items():
        *path, last = key.split("__")
        node = content
        for part in path:
            node = node[part]
        node[last] = value
    return content


def complaint(content: dict) -> str:
    with pytest.raises(ParamsError) as caught:
        validate_params(content, "p")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("p: ")


def named_key(text: str) -> str:
    return text.partition(":")[0]


def test_a_name_must_be_in_its_table():
    assert complaint(changed(dataset="shape")) == (
        "dataset: 'shape' is not in datasets; did you mean 'shapes'?"
    )
    assert complaint(changed(variant="seam-isl-fls")) == (
        "variant: 'seam-isl-fls' is not in variants; did you mean 'seam-isl-fsl'?"
    )


def test_a_variant_of_a_method_that_the_grid_leaves_out_says_so():
    assert complaint(changed(variant="puzzle-isl", grid__methods=["cam", "seam"])) == (
        "variant: 'puzzle-isl' is not in variants; add 'puzzle' to grid.methods"
    )


def test_the_backbone_and_its_options_must_be_there():
    assert complaint(changed(network__backbone="smal")) == (
        "network.backbone: no file 'smal.py' in hfpl/plugins/backbones; did you mean 'small'?"
    )
    assert complaint(changed(network__options__stirde=4)).startswith(
        "network.options.stirde: unknown option of 'small'; did you mean 'stride'?"
    )


def test_every_variant_needs_its_method_also_those_not_chosen():
    variant = {"method": "seem", "isl": "none", "fsl": False, "seed": 0}
    assert complaint(changed(variants__other=variant)) == (
        "variants.other.method: no file 'seem.py' in hfpl/plugins/methods; did you mean 'seam'?"
    )
    text = complaint(changed(cam__methods={}))
    assert text.startswith("cam.methods.seam.")
    assert "missing" in text


def test_options_of_a_method_that_does_not_exist_are_named():
    methods = {**DEMO["cam"]["methods"], "saem": {"view_scale": 0.5}}
    text = complaint(changed(cam__methods=methods))
    assert text.startswith("cam.methods.saem: ")
    assert "'seam'" in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cam__methods__seam__view_scale", "half"),
        ("cam__methods__seam__pcm_channels", 32),
        ("network__options__stride", 4.5),
        ("network__options__widths", "wide"),
        ("network__options__train_batchnorm", 1),
    ],
)
def test_an_option_has_the_type_its_build_asks_for(key, value):
    assert named_key(complaint(changed(**{key: value}))) == key.replace("__", ".")


def test_a_range_that_is_empty_is_named_by_a_key_of_the_file():
    text = complaint(changed(datasets__shapes__max_extent=0.2))
    assert named_key(text) in ("datasets.shapes", "datasets.shapes.min_extent")
    assert "min_extent is larger than max_extent" in text
    text = complaint(changed(cam__augmentation__resize=[1.5, 1.0]))
    assert named_key(text) in ("cam.augmentation", "cam.augmentation.resize")
    text = complaint(changed(segment__augmentation__scale=[1.5, 0.5]))
    assert named_key(text) in ("segment.augmentation", "segment.augmentation.scale")


def test_a_name_that_cannot_be_a_folder_is_refused():
    for name in ("Shapes", "a/b", "..", "", "with space", "x" * 65, "-a"):
        assert complaint(changed(dataset=name)).startswith("dataset: ")
        row = {"method": "seam", "isl": "none", "fsl": False, "seed": 0}
        table = {**DEMO["variants"], name: row}
        assert named_key(complaint(changed(variants=table))) == f"variants.{name}"
        table = {**DEMO["datasets"], name: DEMO["datasets"]["shapes"]}
        assert named_key(complaint(changed(datasets=table))) == f"datasets.{name}"


@pytest.mark.parametrize(("key", "value"), [("max_side", 31), ("val_share", 0), ("val_share", 1)])
def test_a_folder_entry_has_its_bounds(key, value):
    entry = {"format": "folder", "root": "photos", "max_side": 500, "val_share": 0.2}
    table = {**DEMO["datasets"], "mine": entry}
    assert validate_params(changed(datasets=table, dataset="mine")).datasets["mine"].root
    wrong = {**table, "mine": {**entry, key: float(value) if key == "val_share" else value}}
    assert named_key(complaint(changed(datasets=wrong))) == f"datasets.mine.{key}"


def test_a_voc_entry_is_checked_like_any_other():
    lists = {"training": "trainaug", "train": "train", "val": "val"}
    entry = {"format": "voc", "root": "photos", "lists": lists, **WHOLE}
    table = {**DEMO["datasets"], "mine": entry}
    params = validate_params(changed(datasets=table, dataset="mine"))
    assert params.datasets["mine"].lists.training == "trainaug"
    wrong = {**entry, "lists": {"training": "a", "trian": "b", "val": "c"}}
    assert complaint(changed(datasets={**table, "mine": wrong})) == (
        "datasets.mine.lists.trian: unknown key; did you mean 'train'?"
    )
    empty = {**entry, "root": ""}
    assert complaint(changed(datasets={**table, "mine": empty})).startswith("datasets.mine.root: ")


@pytest.mark.parametrize("stage", ["network", "cam", "affinity", "segment"])
def test_weights_are_a_word_or_a_file_of_a_known_format(stage):
    for name in ("net.pth", "a b/net.pt", "net.params", "../net.safetensors"):
        validate_params(changed(**{f"{stage}__weights": name}))
    words = {"network": ["pretrain", "none"]}.get(stage, ["network"])
    for name in words:
        validate_params(changed(**{f"{stage}__weights": name}))
    for name in ("", "net", "net.h5", "nothing", {"network": "network"}.get(stage, "none")):
        text = complaint(changed(**{f"{stage}__weights": name}))
        assert named_key(text) == f"{stage}.weights"
        assert f"'{words[0]}'" in text
        assert ".safetensors" in text
