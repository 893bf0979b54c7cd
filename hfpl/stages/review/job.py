"""Jobs of stage review, of people's own photographs."""

from hfpl.jobs.job import SPLITS, File, Job, Params
from hfpl.stages.cam.job import TRAIN as CAM_TRAIN
from hfpl.stages.cam.job import from_tags, method_plugin, method_reads
from hfpl.stages.data.job import MANIFEST, MANIFESTS, format_of
from hfpl.stages.pretrain.job import backbone_plugin, backbone_reads
from hfpl.stages.segment.job import HEAD_READS
from hfpl.stages.segment.job import TRAIN as SEGMENT_TRAIN


def of_ones_own(params: Params) -> bool:
    """Whether a person may put the data set right: it is a folder of photographs."""
    return from_tags(params) and format_of(params).corrected


SCORES = Job(
    "review_scores",
    "say how sure the networks are of a shard's photographs, and whether tags are seen",
    "hfpl.stages.review.scores:score_shard",
    reads=lambda params: [
        *method_reads(params),
        *backbone_reads(params, "cam"),
        *backbone_reads(params, "segment"),
        *HEAD_READS,
    ],
    inputs=(
        MANIFEST,
        CAM_TRAIN["model"].as_input("model", "trained CAM network, which classifies"),
        SEGMENT_TRAIN["network"].as_input("network", "trained segmentation network"),
    ),
    outputs=(
        File(
            "scores",
            "{variant}/review/{split}-{shard}.json",
            "scores of the shard's photographs to write (.json)",
        ),
    ),
    images=True,
    kind="network",
    plugins=lambda params: [
        *dict.fromkeys(
            [
                *backbone_plugin(params, "cam"),
                *backbone_plugin(params, "segment"),
                *method_plugin(params),
            ]
        )
    ],
    when=of_ones_own,
    memory=4000,
    minutes=240,
)
LIST = Job(
    "review_list",
    "list the photographs, those first whose tags the classifier contradicts",
    "hfpl.stages.review.listing:write_list",
    reads=lambda params: ["dataset"],
    inputs=(
        *MANIFESTS,
        SCORES["scores"].as_input("scores", "scores of all photographs", over=SPLITS),
    ),
    outputs=(File("table", "{variant}/review/photographs.csv", "list to write (.csv)"),),
    when=of_ones_own,
    memory=500,
    minutes=10,
    light=True,
)
JOBS = (SCORES, LIST)
