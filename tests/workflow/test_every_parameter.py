"""Every value of params.yaml, changed alone: Snakemake plans what the table in the docs says."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from hfpl.cli.reruns import following
from hfpl.params.load import ParamsError, validate_params
from hfpl.params.presets import preset_text
from hfpl.pipeline import JOBS, stages_of
from tests.used_by import expected

pytestmark = pytest.mark.slow

MICRO = YAML(typ="safe", pure=True).load(preset_text("micro"))
STAGES = stages_of(validate_params(MICRO))
VARIANTS = list(validate_params(MICRO).variants)
WORDS = ["none", "own.pth", "binomial", "multinomial", "softmax", "max_norm", "network",
         "boundary_iou"]  # fmt: skip
FIXED = {
    "dataset",
    "datasets.shapes.format",
    "network.backbone",
    *(f"{stage}.network" for stage in ("cam", "affinity", "segment")),
    *(f"{stage}.optimiser.name" for stage in ("cam", "affinity", "segment")),
    "ablation.sweeps.cam-isl-fsl",
    "pseudo.refiner",
    "segment.test.refiner",
}
"""Values that cannot change alone: others would have to change with them."""
ONCE_SET = {"evaluate.train_shards": {"evaluate_cams"}}
"""Jobs that use a key as soon as it has a value, where the demo gives it none."""


def leaves(node: dict, path: tuple[str, ...] = ()):
    for name, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def others(value: object) -> list[object]:
    """Values that might stand in the place of one."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, value * 2, value // 2]
    if isinstance(value, float):
        return [value * 0.9, value * 1.1, value + 0.1, value / 2]
    if isinstance(value, list):
        return [[*value[:-1], last] for last in others(value[-1])] + [
            [first, *value[1:]] for first in others(value[0])
        ]
    if value is None:
        return [1, 0.5, "none"]
    return [word for word in [*VARIANTS, *WORDS] if word != value]


def changed(path: tuple[str, ...], value: object) -> tuple[object, str] | None:
    """Another value that holds, and the parameter file with it."""
    for other in others(value):
        if other == value:
            continue  # nine tenths of nothing
        content = copy.deepcopy(MICRO)
        node = content
        for name in path[:-1]:
            node = node[name]
        node[path[-1]] = other
        if path[0] == "grid":
            content["ablation"]["sweeps"] = {}  # of losses that the change may take away
        try:
            validate_params(content)
        except ParamsError:
            continue
        buffer = io.StringIO()
        YAML(typ="safe", pure=True).dump(content, buffer)
        return other, buffer.getvalue()
    return None


def test_a_plan_for_every_parameter(micro_run, snakemake, read_plan):
    changes = {}
    for path, value in leaves(MICRO):
        found = changed(path, value)
        if found is None:
            assert ".".join(path) in FIXED
        else:
            changes[path] = found

    def plan(path: tuple[str, ...]) -> str:
        file = Path(micro_run) / f"{'.'.join(path)}.yaml"
        file.write_text(changes[path][1], encoding="utf-8")
        done = snakemake(micro_run, "-n", "--config", f"params={file.name}")
        file.unlink()
        assert done.returncode == 0, done.stdout
        return done.stdout

    with ThreadPoolExecutor(2) as pool:
        plans = dict(zip(changes, pool.map(plan, changes), strict=True))
    assert len(plans) > 100
    wrong = {}
    for path, text in plans.items():
        key = ".".join(path)
        table = {rule: why for rule, (_, why) in read_plan(text).items()}
        if key == "variant":
            # Results of another name: what is not there yet, and nothing that is.
            assert set(table.values()) == {"missing results"}
            assert not {JOBS[rule].stage for rule in table} & {"data", "pretrain"}
            continue
        direct = {rule for rule, why in table.items() if f"{key}: " in why}
        # A plan names lost weights by a rule of their own.
        stages = {JOBS[rule].stage for rule in table if rule != "weights_missing"}
        users = ONCE_SET.get(key, expected(key))
        own = {JOBS[job].stage for job in users}
        if key == "cam.calibration.threshold":
            own = {"cam"}  # a step that there was not, and all that reads its result
        after = own | following(own, STAGES) if own else set()
        if direct != users or stages != after:
            wrong[key] = (sorted(direct), sorted(users), sorted(stages), sorted(after))
    assert wrong == {}
