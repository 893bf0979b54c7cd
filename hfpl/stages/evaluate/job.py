"""Jobs of stage evaluate."""

from dataclasses import replace

from hfpl.jobs.job import SPLITS, File, Job, Names, Params, filled
from hfpl.stages.cam.job import CALIBRATION, INFER, from_tags, scored_reads
from hfpl.stages.data.job import TRUTH
from hfpl.stages.pseudo.job import PSEUDO
from hfpl.stages.segment.job import TEST
from hfpl.stages.walk.job import WALK

SCORED = {
    "pseudo-low": PSEUDO["low"],
    "pseudo-high": PSEUDO["high"],
    "walk": WALK["labels"],
    "segment-plain": TEST["plain"],
    "segment-crf": TEST["refined"],
    "supervised-plain": TEST["plain"],
    "supervised-crf": TEST["refined"],
}
"""Name of a file of scores → what it scores: label maps, or scores whose largest wins."""


def _scored_of(params: Params) -> list[str]:
    """What a run has of these."""
    ceiling = params.chosen_variant.supervised
    return [name for name in SCORED if name.startswith("supervised") == ceiling]


def metric_plugins(params: Params) -> list[str]:
    """Modules of the metrics."""
    return [f"hfpl.plugins.metrics.{name}" for name in params.evaluate.metrics]


def _refiner_plugins(params: Params) -> list[str]:
    """Modules of the refiners, whose titles stand in the rows."""
    names = sorted({params.pseudo.refiner, params.segment.test.refiner})
    return [f"hfpl.plugins.refiners.{name}" for name in names]


CAMS = Job(
    "evaluate_cams",
    "score the CAMs at a range of thresholds",
    "hfpl.stages.evaluate.cams:evaluate_cams",
    reads=lambda params: [
        f"evaluate.background_score.{params.chosen_variant.method}",
        "chosen.variant.method",
        "evaluate.metrics",
        *scored_reads(params),
    ],
    inputs=(
        *(replace(file, scored=True) for file in TRUTH),
        INFER["cams"].as_input("results", "shards of CAMs", over=SPLITS, scored=True),
        CALIBRATION,
    ),
    outputs=(File("out", "{variant}/evaluate/cam.json", "scores to write (.json)"),),
    images=True,
    plugins=metric_plugins,
    when=from_tags,
    memory=2000,
    minutes=120,
)


def _scored(params: Params, common: str, names: Names) -> list[str]:
    """Shards of all splits of what a file of scores is named after."""
    return SCORED[names["scored"]].as_input("results", "", over=SPLITS).patterns(params, common)


MASKS = Job(
    "evaluate_masks",
    "score label maps, or the class of the largest score",
    "hfpl.stages.evaluate.masks:evaluate_masks",
    reads=lambda params: ["evaluate.metrics", "pseudo.refiner", "segment.test.refiner"],
    inputs=(*TRUTH, File("results", _scored, "shards of what is scored, all splits", many=True)),
    outputs=(File("out", "{variant}/evaluate/{scored}.json", "scores to write (.json)"),),
    images=True,
    names={"scored": _scored_of},
    plugins=lambda params: [*metric_plugins(params), *_refiner_plugins(params)],
    memory=2000,
    minutes=120,
)


def _parts(params: Params, common: str, names: Names) -> list[str]:
    """Scores of all stages, in the order of the table."""
    masks = (
        filled(p, {"scored": name})
        for name in _scored_of(params)
        for p in MASKS["out"].patterns(params, common)
    )
    cams = CAMS["out"].patterns(params, common) if from_tags(params) else []
    return [*cams, *masks]


TABLE = Job(
    "evaluate_table",
    "join the scores of all stages",
    "hfpl.stages.evaluate.table:write_table",
    reads=lambda params: ["dataset", "evaluate.metrics"],
    inputs=(File("parts", _parts, "scores of the stages (.json)", many=True),),
    outputs=(
        File("json", "{variant}/evaluate/table.json", "table to write (.json)"),
        File("csv", "{variant}/evaluate/table.csv", "table to write (.csv)"),
        File("metrics", "{variant}/evaluate/metrics.json", "means to write, for dvc metrics"),
    ),
    names={"variant": lambda params: [params.variant]},
    plugins=metric_plugins,
    memory=500,
    minutes=10,
    light=True,
)
JOBS = (CAMS, MASKS, TABLE)
