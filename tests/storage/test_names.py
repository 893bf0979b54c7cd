"""Names are found as in a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfpl.storage.names import Names

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.lists(TEXT), TEXT)
def test_names_are_found_at_their_last_place(names, other):
    names.sort()
    found = Names(names)
    assert list(found) == names
    assert len(found) == len(names)
    for name in {*names, other}:
        last = len(names) - 1 - names[::-1].index(name) if name in names else None
        assert found.find(name) == last


def test_places_outside_are_errors():
    for place in (-1, 1):
        with pytest.raises(IndexError):
            Names(["a"])[place]
