"""Which images a contact sheet shows."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.stages.report.choice import choose_images
from hfpl.storage.manifest import ImageRecord


def record(name, tags=(0,)):
    return ImageRecord(name, f"JPEGImages/{name}.jpg", 10, 12, tuple(tags), "")


def by_hash(names):
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


NAMES = [f"image_{k:03d}" for k in range(40)]
IMAGES = st.dictionaries(
    st.sampled_from(NAMES), st.sets(st.integers(0, 4)).map(sorted), min_size=1
).map(lambda tags: [record(name, t) for name, t in tags.items()])


def test_without_new_classes_the_smallest_hashes_win():
    images = [record(name) for name in NAMES]
    chosen = choose_images(images, NAMES, 5)
    assert [image.id for image in chosen] == sorted(by_hash(NAMES)[:5])


def test_every_class_is_shown_before_one_is_repeated():
    names = by_hash(NAMES)
    images = [record(name, (0,)) for name in names]
    images[30], images[20] = record(names[30], (1,)), record(names[20], (2,))
    chosen = choose_images(images, NAMES, 4)
    assert {image.id for image in chosen} == {names[0], names[20], names[30], names[1]}


def test_scored_images_come_first_then_tagged_ones():
    names = by_hash(NAMES[:8])
    images = [
        record(names[0], ()),  # neither tagged nor scored
        record(names[1], (3,)),
        record(names[2], ()),
        record(names[3], (3,)),
    ]
    scored = {names[2], names[3]}
    order = [names[3], names[2], names[1], names[0]]
    for count in range(1, 5):
        found = {image.id for image in choose_images(images, scored, count)}
        assert found == set(order[:count])


@given(IMAGES, st.sets(st.sampled_from(NAMES)), st.integers(1, 12), st.randoms())
@settings(deadline=None)
def test_choice_is_sorted_complete_and_independent_of_the_order(images, scored, count, shuffle):
    chosen = choose_images(images, scored, count)
    names = [image.id for image in chosen]
    assert names == sorted(set(names))
    assert len(names) == min(count, len(images))
    shuffled = list(images)
    shuffle.shuffle(shuffled)
    assert choose_images(shuffled, scored, count) == chosen


@given(IMAGES, st.integers(1, 8))
@settings(deadline=None)
def test_more_images_to_show_keep_those_shown_before(images, count):
    few = choose_images(images, NAMES, count)
    more = choose_images(images, NAMES, count + 1)
    assert set(few) <= set(more)


@pytest.mark.parametrize("seed", range(5))
def test_removing_an_image_that_is_not_shown_changes_nothing(seed):
    rng = random.Random(seed)
    images = [record(name, [rng.randrange(3)]) for name in NAMES]
    chosen = choose_images(images, NAMES, 6)
    hidden = rng.choice([image for image in images if image not in chosen])
    rest = [image for image in images if image != hidden]
    assert choose_images(rest, NAMES, 6) == chosen
