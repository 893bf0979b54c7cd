"""Every number has both bounds, every list a length, every text no control characters."""

from collections.abc import Iterator
from typing import Any

import pytest

from hfpl.params.load import ParamsError, set_value, validate_params
from hfpl.params.presets import preset_text
from hfpl.params.root import Params
from hfpl.storage.plain_yaml import load_yaml

SCHEMA = Params.model_json_schema()
MICRO = preset_text("micro")


def nodes(node: dict[str, Any], key: str, seen: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema with its key."""
    name = node.get("$ref", "").rpartition("/")[2]
    if name:
        if name not in seen:
            yield from nodes(SCHEMA["$defs"][name], name, seen | {name})
        return
    yield key, node
    for part in [one for kind in ("anyOf", "oneOf", "allOf") for one in node.get(kind, [])]:
        yield from nodes(part, key, seen)
    for kind in ("properties", "patternProperties"):
        for name, part in node.get(kind, {}).items():
            yield from nodes(part, f"{key}.{name}", seen)
    for kind in ("items", "additionalProperties"):
        if isinstance(node.get(kind), dict):
            yield from nodes(node[kind], f"{key}[]", seen)


def test_no_number_list_or_text_is_without_bounds():
    unbounded, numbers = set(), 0
    for key, node in nodes(SCHEMA, "", set()):
        kind = node.get("type")
        if kind in ("number", "integer"):
            numbers += 1
            if not {"minimum", "exclusiveMinimum"} & node.keys():
                unbounded.add(f"{key}: no smallest value")
            if not {"maximum", "exclusiveMaximum"} & node.keys():
                unbounded.add(f"{key}: no largest value")
        if kind == "array" and not {"minItems", "maxItems"} <= node.keys():
            unbounded.add(f"{key}: no length")
        if kind == "string" and not {"pattern", "enum", "const"} & node.keys():
            unbounded.add(f"{key}: any text")
    assert numbers > 80
    assert unbounded == set()


NONSENSE = [
    ("shards=1000001", "shards: input should be less than or equal to 1000"),
    ("network.options.widths=[]", "network.options.widths: list should have at least 5 items"),
    ("network.options.widths=[1, 2, 3, 4, -5]", "network.options.widths: should be greater than"),
    ("network.options.stride=-4", "network.options.stride: should be 4 or 8"),
    ("network.options.blocks=[1, 1, 1]", "network.options.blocks: list should have at least 4"),
    ("cam.methods.seam.view_scale=-1.0", "cam.methods.seam.view_scale: should be greater than 0"),
    ("cam.methods.seam.dropout=5.0", "cam.methods.seam.dropout: should be less than 1"),
    ("cam.methods.ppc.projection=0", "cam.methods.ppc.projection: should be greater than or eq"),
    ("cam.methods.puzzle.alpha=-0.1", "cam.methods.puzzle.alpha: should be greater than or equal"),
    ("cam.inference.scales=[1.0e+300]", "cam.inference.scales.0: input should be less than"),
    ("segment.test.scales=[]", "segment.test.scales: list should have at least 1 item"),
    ("cam.augmentation.crop=1000000000", "cam.augmentation.crop: input should be less than"),
    ("segment.optimiser.lr=1.0e+30", "segment.optimiser.lr: input should be less than"),
    ("cam.augmentation.crop=4096", "cam: a step has 67 million pixels, more than 60 million"),
    ("pseudo.alpha_low=40.0", "pseudo: alpha_low is larger than alpha_high"),
    ('datasets.photos={format: folder, root: "a\\0b", max_side: 64, val_share: 0.5}',
     "datasets.photos.root: string should match pattern"),
    ('network.weights="a\\tb.pth"', "network.weights: string should match pattern"),
    ("cam.weights='{PARAMS}.pth'", "cam.weights: should be a file whose path has no braces"),
    ("ablation.seeds=[]", "ablation.seeds: list should have at least 1 item"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "message"), NONSENSE)
def test_nonsense_is_one_line_that_names_the_key(setting, message):
    content = load_yaml(MICRO)
    key, _, value = setting.partition("=")
    set_value(content, key, value)
    with pytest.raises(ParamsError) as caught:
        validate_params(content, "params.yaml")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"params.yaml: {message}"), line


def test_two_archives_may_not_have_one_file():
    content = load_yaml(preset_text("voc2012"))
    sources = content["datasets"]["voc2012"]["sources"]
    sources["augmented"]["file"] = sources["trainval"]["file"]
    with pytest.raises(ParamsError, match="sources: two of the archives have the same file"):
        validate_params(content, "params.yaml")
