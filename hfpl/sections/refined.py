"""The refiner that a stage's scores are refined by."""

from pydantic import ConfigDict, Field

from hfpl.sections.crf import Crf
from hfpl.sections.section import Name, Section


class Refined(Section):
    """A section with a refiner and the refiners' options.

    Other refiners' options stand beside those of the CRF, by their names; what stands there is
    checked against the refiners that there are (:func:`hfpl.sections.plugins.check_refiner`).
    """

    model_config = ConfigDict(extra="allow")

    refiner: Name = Field(
        title="a file in hfpl/plugins/refiners; its options follow",
        description="name of a file in hfpl/plugins/refiners; beside it, by the same name, its "
        "options: the keyword arguments of its build()",
    )
    crf: Crf
