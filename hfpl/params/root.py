"""The whole of ``params.yaml``."""

from functools import cached_property
from typing import Any

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

    @property
    def chosen_dataset(self) -> Dataset:
        """The entry of datasets that the parameter ``dataset`` names."""
        return self.datasets[self.dataset]

    @property
    def chosen_variant(self) -> Variant:
        """The entry of variants that the parameter ``variant`` names."""
        return self.variants[self.variant]

    def file_key(self, key: str) -> str:
        """The key of params.yaml that a job's key stands for: ``chosen`` are entries of tables."""
        kind, dot, rest = key.removeprefix("chosen.").partition(".")
        named = {"dataset": f"datasets.{self.dataset}", "variant": f"variants.{self.variant}"}
        return f"{named[kind]}{dot}{rest}" if key.startswith("chosen.") else key

    def of_variant(self, name: str) -> "Params":
        """The same parameters with another variant chosen."""
        return self.model_copy(update={"variant": name})

    def model_copy(self, **changes: Any) -> "Params":
        """As pydantic's; what was cached is not the copy's."""
        other = super().model_copy(**changes)
        other.__dict__.pop("content", None)
        return other

    @cached_property
    def content(self) -> dict[str, Any]:
        """All values as plain data; under ``chosen`` the entries of the run."""
        chosen = {
            "dataset": self.chosen_dataset.model_dump(mode="json"),
            "variant": self.chosen_variant.model_dump(mode="json"),
        }
        return {**self.model_dump(mode="json"), "chosen": chosen}
