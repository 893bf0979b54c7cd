"""Job of stage report."""

from hfpl.jobs.job import SPLITS, File, Job, Names, Params
from hfpl.stages.affinity.job import AFFINITY
from hfpl.stages.cam.job import INFER, from_tags
from hfpl.stages.cam.job import TRAIN as CAM_TRAIN
from hfpl.stages.data.job import TRUTH
from hfpl.stages.evaluate.job import CAMS, TABLE
from hfpl.stages.pretrain.job import PRETRAIN
from hfpl.stages.segment.job import TEST
from hfpl.stages.segment.job import TRAIN as SEGMENT_TRAIN
from hfpl.stages.walk.job import WALK

TRAININGS = {"pretrain": PRETRAIN, "cam": CAM_TRAIN, "affinity": AFFINITY, "segment": SEGMENT_TRAIN}
"""Stage → its training, in their order."""


def _history(stage: str) -> File:
    """Losses of a training; the backbone is trained only where its weights are made here."""
    job = TRAININGS[stage]

    def paths(params: Params, common: str, names: Names) -> list[str]:
        return job["history"].patterns(params, common) if job.when(params) else []

    text = f"losses of the training of {stage} (.csv), where there was one"
    return File(f"{stage}_history", paths, text, optional=True)


def _picture(name: str, text: str) -> File:
    return File(name.replace("-", "_"), f"{{variant}}/report/{name}.png", text)


REPORT = Job(
    "report",
    "draw pictures of a run's results",
    "hfpl.stages.report.pictures:draw_report",
    reads=lambda params: ["dataset", "report"],
    inputs=(
        *TRUTH,
        INFER["cams"].as_input("cams", "shards of CAMs, all splits", over=SPLITS),
        WALK["labels"].as_input("labels", "the walk's label maps, all splits", over=SPLITS),
        TEST["refined"].as_input("predictions", "the tested label maps, all splits", over=SPLITS),
        CAMS["out"].as_input("cam_scores", "scores of the CAMs (.json)"),
        TABLE["json"].as_input("table", "table of all scores (.json)"),
        *(_history(stage) for stage in TRAININGS),
    ),
    outputs=(
        _picture("contact-train", "contact sheet of train to write (.png)"),
        _picture("contact-val", "contact sheet of val to write (.png)"),
        _picture("threshold-curve", "mIoU of the CAMs over the threshold, to write (.png)"),
        _picture("classes", "scores per class to write (.png)"),
        _picture("training", "training curves to write (.png)"),
    ),
    images=True,
    names={"variant": lambda params: [params.variant]},
    when=from_tags,
    memory=1000,
    minutes=30,
    light=True,
)
JOBS = (REPORT,)
