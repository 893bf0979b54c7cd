"""Variants as a grid: every method with every set of added losses."""

from typing import Annotated, Any

from pydantic import Field

from hfpl.sections.section import Name, Section, Seed
from hfpl.stages.cam.params import SUPERVISED, AddedLosses

ALONE = "none"
"""Set of losses that leaves the method's name as it is."""


class Grid(Section):
    """Variants that there are: <method> and <method>-<losses>, for each pair."""

    methods: Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(
        description="CAM methods: files in hfpl/plugins/methods"
    )
    losses: dict[Name, AddedLosses] = Field(
        description="end of the variant's name → the losses that it adds"
    )
    seed: Seed = Field(description="seed of every training")

    def losses_of(self, variant: str) -> str | None:
        """Set of losses of a variant by its name; None where the grid has no such variant."""
        found = (
            losses
            for method in self.methods
            for losses in self.losses
            if variant_name(method, losses) == variant
        )
        return next(found, None)


def variant_name(method: str, losses: str) -> str:
    """Name of a variant of the grid."""
    return method if losses == ALONE else f"{method}-{losses}"


def with_rows(content: Any) -> Any:
    """Content of a parameter file with a row in ``variants`` for each pair of the grid, and one for
    the ceiling, ``supervised``.

    What a row of the file says goes before the grid. A file whose grid is malformed stays as it is;
    its validation says what is wrong.
    """
    try:
        grid = Grid.model_validate(content["grid"])
        rows = {
            variant_name(method, name): {"method": method, "seed": grid.seed, **losses.model_dump()}
            for method in grid.methods
            for name, losses in grid.losses.items()
        }
        rows[SUPERVISED] = {"method": SUPERVISED, "seed": grid.seed, "isl": "none", "fsl": False}
        own = content["variants"]
        rows = {name: {**row, **own.get(name, {})} for name, row in rows.items()}
        return {**content, "variants": {**own, **rows}}
    except (ValueError, TypeError, KeyError, AttributeError):
        return content
