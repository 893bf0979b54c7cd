"""The end of a message about an unknown name."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.sections.suggest import suggest

NAMES = ["batch", "epochs", "optimiser", "augmentation"]


def test_the_nearest_name_is_suggested():
    assert suggest("epoch", NAMES) == "; did you mean 'epochs'?"
    assert suggest("optimizer", NAMES) == "; did you mean 'optimiser'?"
    assert suggest("Batch", NAMES) == "; did you mean 'batch'?"


def test_without_a_near_name_all_are_listed_in_order():
    assert suggest("zzz", NAMES) == "; known: augmentation, batch, epochs, optimiser"
    assert suggest("zzz", iter(NAMES)) == "; known: augmentation, batch, epochs, optimiser"
    assert suggest("zzz", []) == "; known: none"


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 20))
def test_a_name_without_one_letter_still_finds_itself(name, place):
    place %= len(name)
    assert suggest(name[:place] + name[place + 1 :], NAMES) == f"; did you mean '{name}'?"
