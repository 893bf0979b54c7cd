"""Jobs of stage cam."""

from dataclasses import replace

from hfpl.jobs.job import File, Job, Names, Params
from hfpl.stages.data.job import CHECKED, MANIFEST, TRAIN_MANIFESTS
from hfpl.stages.pretrain.job import backbone_plugin, backbone_reads, start_reads, start_weights


def method_reads(params: Params) -> list[str]:
    """Keys that build the variant's method."""
    return ["chosen.variant.method", f"cam.methods.{params.chosen_variant.method}"]


def _train_reads(params: Params) -> list[str]:
    variant = params.chosen_variant
    # What is drawn counts only where something is.
    isl = {"none": [], "expected": ["cam.isl.weight", "cam.isl.start"]}.get(
        variant.isl, ["cam.isl"]
    )
    return [
        "chosen.variant.isl",
        "chosen.variant.fsl",
        "chosen.variant.seed",
        *method_reads(params),
        *isl,
        *(["cam.fsl"] if variant.fsl else []),
        "cam.epochs",
        "cam.batch",
        "cam.optimiser",
        *([f"cam.rates.{variant.method}"] if variant.method in params.cam.rates else []),
        "cam.augmentation",
        *start_reads(params, "cam"),
    ]


def method_plugin(params: Params) -> list[str]:
    """Module of the variant's method."""
    return [f"hfpl.plugins.methods.{params.chosen_variant.method}"]


def _plugins(params: Params) -> list[str]:
    return [*backbone_plugin(params, "cam"), *method_plugin(params)]


def from_tags(params: Params) -> bool:
    """Whether a run learns from tags: it has CAMs and all that is made of them."""
    return not params.chosen_variant.supervised


TRAIN = Job(
    "cam_train",
    "train a CAM network, with or without ISL and FSL",
    "hfpl.stages.cam.train:train_cam",
    reads=_train_reads,
    inputs=(TRAIN_MANIFESTS, start_weights("cam"), CHECKED),
    outputs=(
        File("model", "{variant}/cam/model.safetensors", "network to write (.safetensors)"),
        File("history", "{variant}/cam/history.csv", "losses to write (.csv)"),
    ),
    images=True,
    kind="training",
    several=True,
    plugins=_plugins,
    when=from_tags,
    memory=8000,
    minutes=720,
)

INFER = Job(
    "cam_infer",
    "write the CAMs of a shard of images",
    "hfpl.stages.cam.infer:infer_cams",
    reads=lambda params: [*method_reads(params), *backbone_reads(params, "cam"), "cam.inference"],
    inputs=(MANIFEST, TRAIN["model"].as_input("model", "trained network")),
    outputs=(File("cams", "{variant}/cam/{split}-{shard}.zip", "shard of CAMs to write (.zip)"),),
    images=True,
    kind="network",
    plugins=_plugins,
    when=from_tags,
    memory=4000,
    minutes=240,
)


def scored_reads(params: Params) -> list[str]:
    """What says which CAMs of train are looked at, where not all are."""
    return [] if params.evaluate.train_shards is None else ["evaluate.train_shards"]


CALIBRATE = Job(
    "cam_calibrate",
    "find the power that makes the CAMs fit the thresholds",
    "hfpl.stages.cam.calibrate:calibrate_cams",
    reads=lambda params: ["cam.calibration", *scored_reads(params)],
    inputs=(
        replace(TRAIN_MANIFESTS, scored=True),
        INFER["cams"].as_input("cams", "shards of CAMs of train", over=("train",), scored=True),
    ),
    outputs=(File("calibration", "{variant}/cam/calibration.json", "power to write (.json)"),),
    images=True,
    when=lambda params: from_tags(params) and params.cam.calibration.threshold is not None,
    memory=1000,
    minutes=60,
)


def _calibration(params: Params, common: str, names: Names) -> list[str]:
    return CALIBRATE["calibration"].patterns(params, common) if CALIBRATE.when(params) else []


CALIBRATION = File(
    "calibration", _calibration, "power of the CAMs (.json); without, as they are", optional=True
)
JOBS = (TRAIN, INFER, CALIBRATE)
