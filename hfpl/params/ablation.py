"""The comparison of variants over several seeds: which runs it holds."""

from typing import Annotated

from pydantic import Field

from hfpl.sections.section import Name, Section, Seed, Text

Change = Annotated[str, Field(pattern=r"^cam\.[a-z0-9_.-]+=[A-Za-z0-9_.+-]+$")]
"""A key of the section cam and another value, as a run's name holds them."""


class Ablation(Section):
    """Runs that 'snakemake ablation' compares."""

    seeds: Annotated[list[Seed], Field(min_length=1, max_length=1000)] = Field(
        title="each variant is run with each of them",
        description="each variant is run with each of them, in place of the seed in its row",
    )
    variants: Annotated[list[Name], Field(min_length=0, max_length=1000)] = Field(
        description="entries of variants"
    )
    sweeps: dict[Name, Annotated[list[Change], Field(min_length=0, max_length=100)]] = Field(
        title="variant → changes of one value of the section cam",
        description="variant → values of the section cam, one changed at a time: cam.fsl.mu=3.0",
    )
    remark: Text = Field(
        title="stands above the tables",
        description="stands above the tables: how the values of the added losses were chosen",
    )
    final: Annotated[list[Name], Field(min_length=0, max_length=1000)] = Field(
        title="variants that go on to segmentation",
        description="entries of variants that 'snakemake ablation-final' carries to segmentation",
    )
