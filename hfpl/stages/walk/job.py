"""Job of stage walk."""

from hfpl.jobs.job import File, Job
from hfpl.stages.affinity.job import AFFINITY
from hfpl.stages.cam.job import CALIBRATION, INFER, from_tags
from hfpl.stages.data.job import MANIFEST
from hfpl.stages.pretrain.job import backbone_plugin, backbone_reads

WALK = Job(
    "walk",
    "label maps by a random walk of the CAMs over the affinities",
    "hfpl.stages.walk.label:label_shard",
    reads=lambda params: [
        *backbone_reads(params, "affinity"),
        "affinity.radius",
        "affinity.channels",
        "walk",
    ],
    inputs=(
        MANIFEST,
        INFER["cams"].as_input("cams", "its CAMs"),
        CALIBRATION,
        AFFINITY["model"].as_input("model", "trained affinity network"),
    ),
    outputs=(File("labels", "{variant}/walk/{split}-{shard}.zip", "label maps to write (.zip)"),),
    images=True,
    kind="network",
    plugins=lambda params: backbone_plugin(params, "affinity"),
    when=from_tags,
    memory=4000,
    minutes=240,
)
JOBS = (WALK,)
