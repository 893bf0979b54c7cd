"""What may be the name of a class, for all formats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfpl.plugins.formats.class_names import check_classes, clean, mixed_alphabets, shown
from hfpl.plugins.formats.records import write_split
from hfpl.storage.manifest import Manifest


@given(st.text())
def test_a_clean_name_stays_clean(text):
    assert clean(clean(text)) == clean(text)


@given(
    st.text(st.characters(categories=("L", "N")), min_size=1), st.sampled_from("\u200b\ufeff\u2060")
)
def test_what_is_not_seen_makes_no_difference(name, unseen):
    assert clean(f"{unseen}{name}{unseen}") == clean(name)


@pytest.mark.parametrize("name", ["train", "none of these", "bottle (small)", '24" screen', "犬"])
def test_ordinary_names_are_classes(name):
    check_classes([name, "other"], "here")


def test_every_format_goes_through_the_check(tmp_path):
    for classes in (("cat", "background"), ("cat", "Cat"), ("nan",), ()):
        whole = Manifest("pets", "train", classes, ())
        with pytest.raises(ValueError, match="data set 'pets': "):
            write_split(whole, [tmp_path / "train-0.json"])
    assert list(tmp_path.iterdir()) == []


def test_letters_of_two_alphabets_are_told_by_their_numbers():
    assert mixed_alphabets(["dog", "d\u043eg", "собака", "Kühe 2"]) == ["'d\\u043eg'"]
    assert shown("Kühe") == "'Kühe'"
