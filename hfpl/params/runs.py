"""Runs: a variant, or a variant with changed values, named in one word.

``seam-isl-fsl@cam.fsl.mu=3.0@seed=2`` is the variant ``seam-isl-fsl`` with another mu and another
seed. The name is that of the folder of its results, which no other run has.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hfpl.params.root import Params
from hfpl.stages.cam.job import TRAIN
from hfpl.storage.plain_yaml import load_yaml

SEED = "seed"
"""The one value of a variant's own row that a run may change; the others are of the section cam."""


def run_name(params: Params, variant: str, changes: Mapping[str, Any]) -> str:
    """Name of a variant's run with changed values, by dotted key; what is no change is left out."""
    own = {**TRAIN.values(params.of_variant(variant)), SEED: params.variants[variant].seed}
    told = {key: value for key, value in changes.items() if own.get(key) != value}
    return "".join([variant, *(f"@{key}={_word(told[key])}" for key in sorted(told))])


def run_parts(name: str) -> tuple[str, dict[str, str]]:
    """Variant of a run, and its changed values as they are written, by dotted key."""
    variant, *changes = name.split("@")
    return variant, {key: value for key, _, value in (c.partition("=") for c in changes)}


def run_pattern(params: Params) -> str:
    """Regular expression of all names of runs."""
    variants = "|".join(map(re.escape, params.variants))
    return rf"(?:{variants})(?:@[a-z][a-z0-9_.-]*=[A-Za-z0-9_.+-]+)*"


def may_change(key: str) -> bool:
    """Whether a run may change a value: what all variants share is the same for all runs."""
    return key == SEED or (key.startswith("cam.") and key != "cam.weights")


def ablation_runs(params: Params) -> list[str]:
    """Every variant of the ablation with every seed, then the sweeps, without repetition."""
    settings: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in params.ablation.variants]
    settings += sweep_settings(params)
    return _with_seeds(params, settings)


def final_runs(params: Params) -> list[str]:
    """The runs of the ablation that are carried through to segmentation."""
    return _with_seeds(params, [(name, {}) for name in params.ablation.final])


def sweep_settings(params: Params) -> list[tuple[str, dict[str, Any]]]:
    """Variant and changed value of each point of the sweeps."""
    return [
        (variant, {key: load_yaml(text)})
        for variant, changes in params.ablation.sweeps.items()
        for key, _, text in (change.partition("=") for change in changes)
    ]


def _with_seeds(params: Params, settings: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    names = (
        run_name(params, variant, {**changes, SEED: seed})
        for variant, changes in settings
        for seed in params.ablation.seeds
    )
    return list(dict.fromkeys(names))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
