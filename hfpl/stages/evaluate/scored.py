"""What the table of scores calls the results that are scored."""

from typing import NamedTuple


class Scored(NamedTuple):
    """Stage and post-processing of a row."""

    stage: str
    post_processing: str


SCORED = {
    "pseudo-low": Scored("pseudo", "CRF at alpha_low"),
    "pseudo-high": Scored("pseudo", "CRF at alpha_high"),
    "walk": Scored("walk", "none"),
    "segment-plain": Scored("segment", "none"),
    "segment-crf": Scored("segment", "CRF"),
}
"""Name of a file of scores → its rows, in the order of the table."""
