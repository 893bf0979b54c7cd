"""The whole of ``params.yaml``."""

from pydantic import Field

from hfpl.ablation.params import Ablation
from hfpl.params.dataset import Dataset
from hfpl.sections.network import Network
from hfpl.sections.section import Count, Name, Section
from hfpl.stages.affinity.params import Affinity
from hfpl.stages.cam.params import Cam, Variant
from hfpl.stages.evaluate.params import Evaluate
from hfpl.stages.pretrain.params import Pretrain
from hfpl.stages.pseudo.params import Pseudo
from hfpl.stages.report.params import Report
from hfpl.stages.segment.params import Segment
from hfpl.stages.walk.params import Walk


class Params(Section):
    """Every parameter of a run, a section per stage."""

    dataset: Name = Field(description="which entry of datasets to use")
    variant: Name = Field(description="which entry of variants to run")
    shards: Count = Field(description="files that each split's per-image results are spread over")
    datasets: dict[Name, Dataset]
    variants: dict[Name, Variant]
    network: Network
    pretrain: Pretrain
    cam: Cam
    pseudo: Pseudo
    affinity: Affinity
    walk: Walk
    segment: Segment
    evaluate: Evaluate
    report: Report
    ablation: Ablation
