"""Job of stage affinity."""

from hfpl.jobs.job import File, Job
from hfpl.stages.cam.job import from_tags
from hfpl.stages.data.job import TRAIN_MANIFESTS
from hfpl.stages.pretrain.job import backbone_plugin, start_reads, start_weights
from hfpl.stages.pseudo.job import PSEUDO

AFFINITY = Job(
    "affinity",
    "train AffinityNet on the confident scores",
    "hfpl.stages.affinity.train:train_affinity",
    reads=lambda params: [
        "chosen.variant.seed",
        "affinity.radius",
        "affinity.channels",
        "affinity.epochs",
        "affinity.batch",
        "affinity.optimiser",
        "affinity.augmentation",
        *start_reads(params, "affinity"),
    ],
    inputs=(
        TRAIN_MANIFESTS,
        PSEUDO["low"].as_input("low", "their scores at the low background power", over=("train",)),
        PSEUDO["high"].as_input(
            "high", "their scores at the high background power", over=("train",)
        ),
        start_weights("affinity"),
    ),
    outputs=(
        File("model", "{variant}/affinity/model.safetensors", "network to write (.safetensors)"),
        File("history", "{variant}/affinity/history.csv", "losses to write (.csv)"),
    ),
    images=True,
    kind="training",
    several=True,
    plugins=lambda params: backbone_plugin(params, "affinity"),
    when=from_tags,
    memory=8000,
    minutes=720,
)
JOBS = (AFFINITY,)
