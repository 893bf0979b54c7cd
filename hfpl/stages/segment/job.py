"""Jobs of stage segment."""

from hfpl.jobs.job import File, Job, Names, Params
from hfpl.stages.cam.job import from_tags
from hfpl.stages.data.job import (
    CORRECTIONS,
    MANIFEST,
    SHARD_MASKS,
    TRAIN_MANIFESTS,
    TRAIN_MASKS,
    format_of,
)
from hfpl.stages.pretrain.job import backbone_plugin, backbone_reads, start_reads, start_weights
from hfpl.stages.walk.job import WALK

HEAD_READS = ["segment.head.channels", "segment.head.dilation", "segment.head.skip"]
"""What a trained network has of its head."""


def _tested(params: Params, common: str, names: Names) -> list[str]:
    """Masks of the images that are tested; of people's own photographs, every one is."""
    return [] if format_of(params).every_image_tested else SHARD_MASKS.patterns(params, common)


def _test_plugins(params: Params) -> list[str]:
    refiner = params.segment.test.refiner
    return [*backbone_plugin(params, "segment"), f"hfpl.plugins.refiners.{refiner}"]


_LABELS = WALK["labels"].as_input("labels", "", over=("train",))


def _labels(params: Params, common: str, names: Names) -> list[str]:
    return _LABELS.patterns(params, common) if from_tags(params) else []


def _truths(params: Params, common: str, names: Names) -> list[str]:
    return [] if from_tags(params) else TRAIN_MASKS.patterns(params, common)


def _corrections(params: Params, common: str, names: Names) -> list[str]:
    if not (from_tags(params) and CORRECTIONS.when(params)):
        return []
    return CORRECTIONS["corrections"].patterns(params, common)


def _correction_reads(params: Params) -> list[str]:
    return ["segment.corrections"] if from_tags(params) and CORRECTIONS.when(params) else []


TRAIN = Job(
    "segment_train",
    "train the segmentation network on the random walk's label maps, or on official masks",
    "hfpl.stages.segment.train:train_segment",
    reads=lambda params: [
        "chosen.variant.seed",
        "segment.head",
        "segment.iterations",
        "segment.batch",
        "segment.optimiser",
        "segment.augmentation",
        *_correction_reads(params),
        *start_reads(params, "segment"),
    ],
    inputs=(
        TRAIN_MANIFESTS,
        File("labels", _labels, "their label maps", many=True, optional=True),
        File(
            "masks",
            _truths,
            "mask manifests, to learn from official masks in place of label maps",
            many=True,
            optional=True,
        ),
        File(
            "corrections",
            _corrections,
            "mask manifests of photographs that a person has put right, in place of label maps",
            many=True,
            optional=True,
        ),
        start_weights("segment"),
    ),
    outputs=(
        File("network", "{variant}/segment/network.safetensors", "network to write (.safetensors)"),
        File("history", "{variant}/segment/history.csv", "losses to write (.csv)"),
    ),
    images=True,
    kind="training",
    several=True,
    plugins=lambda params: backbone_plugin(params, "segment"),
    memory=8000,
    minutes=1440,
)

TEST = Job(
    "segment_test",
    "write the label maps of a shard's images, without and with a refiner",
    "hfpl.stages.segment.test:segment_shard",
    reads=lambda params: [
        *backbone_reads(params, "segment"),
        *HEAD_READS,
        "segment.test.scales",
        "segment.test.refiner",
        f"segment.test.{params.segment.test.refiner}",
    ],
    inputs=(
        MANIFEST,
        File(
            "masks",
            _tested,
            "manifest of its masks: test scored images alone (default: every image)",
            optional=True,
        ),
        TRAIN["network"].as_input("network", "trained network"),
    ),
    outputs=(
        File(
            "plain",
            "{variant}/segment/{split}-{shard}.plain.zip",
            "label maps of the network to write (.zip)",
        ),
        File(
            "refined",
            "{variant}/segment/{split}-{shard}.crf.zip",
            "label maps after the CRF to write (.zip)",
        ),
    ),
    images=True,
    kind="network",
    plugins=_test_plugins,
    memory=4000,
    minutes=240,
)

MODEL = Job(
    "segment_model",
    "join the network and how it is tested into one file, for new photographs",
    "hfpl.stages.segment.model:write_model",
    reads=lambda params: [*backbone_reads(params, "segment"), "segment.head", "segment.test"],
    inputs=(TRAIN_MANIFESTS, TRAIN["network"].as_input("network", "trained network")),
    outputs=(
        File("model", "{variant}/segment/model.safetensors", "model to write (.safetensors)"),
    ),
    plugins=lambda params: backbone_plugin(params, "segment"),
    memory=2000,
    minutes=10,
    light=True,
)
JOBS = (TRAIN, TEST, MODEL)
