"""The whole of ``params.yaml``."""

from pydantic import Field

from hfpl.params.ablation import Ablation
from hfpl.params.cam import Cam, Variant
from hfpl.params.dataset import Dataset
from hfpl.params.network import Network, Pretrain
from hfpl.params.refine import Affinity, Pseudo, Walk
from hfpl.params.report import Evaluate, Report
from hfpl.params.section import Count, Name, Section
from hfpl.params.segment import Segment


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
