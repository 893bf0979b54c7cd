"""What the table of scores calls the results that are scored."""

from typing import NamedTuple

from hfpl.jobs.settings import Settings
from hfpl.plugins.refiners import title_of
from hfpl.stages.evaluate.table import NONE


class Scored(NamedTuple):
    """Stage and post-processing of a row."""

    stage: str
    post_processing: str


SCORED = {
    "pseudo-low": Scored("pseudo", "{pseudo} at alpha_low"),
    "pseudo-high": Scored("pseudo", "{pseudo} at alpha_high"),
    "walk": Scored("walk", NONE),
    "segment-plain": Scored("segment", NONE),
    "segment-crf": Scored("segment", "{segment}"),
    "supervised-plain": Scored("segment, official masks", NONE),
    "supervised-crf": Scored("segment, official masks", "{segment}"),
}
"""Name of a file of scores → its rows, in the order of the table; braces stand for a stage's
refiner."""


def what_is_scored(scored: str, settings: Settings) -> Scored:
    """Stage and post-processing of a file of scores, the refiner by its title."""
    stage, text = SCORED[scored]
    titles = {
        "pseudo": title_of(settings.pseudo.refiner),
        "segment": title_of(settings.segment.test.refiner),
    }
    return Scored(stage, text.format(**titles))
