"""The whole of ``params.yaml``."""

from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, model_validator

from hfpl.params.ablation import Ablation
from hfpl.params.dataset import Dataset
from hfpl.params.grid import Grid, with_rows
from hfpl.sections.network import Network
from hfpl.sections.section import Name, Section
from hfpl.stages.affinity.params import Affinity
from hfpl.stages.cam.params import SUPERVISED, Cam, Variant
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
    shards: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="files that each split's per-image results are spread over"
    )
    datasets: dict[Name, Dataset] = Field(description="data sets by name")
    grid: Grid
    variants: dict[Name, Variant] = Field(
        description="single variants, and rows of the grid where something differs"
    )
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

    @model_validator(mode="before")
    @classmethod
    def _with_the_grid(cls, content: Any) -> Any:
        return with_rows(content)

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
        if not key.startswith("chosen."):
            return key
        if kind == "dataset":
            return f"datasets.{self.dataset}{dot}{rest}"
        losses = self.grid.losses_of(self.variant)
        same = {"seed": self.grid.seed, "method": self.chosen_variant.method}
        same |= self.grid.losses[losses].model_dump() if losses else {}
        in_grid = losses is not None or self.variant == SUPERVISED
        if not in_grid or same.get(rest) != getattr(self.chosen_variant, rest, None):
            return f"variants.{self.variant}{dot}{rest}"
        # Of a variant of the grid, its name says the method.
        return {"seed": "grid.seed", "method": "variant"}.get(rest, f"grid.losses.{losses}.{rest}")

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
