"""The law of memory: per image of the set at most a kilobyte stays, never pixels."""

import pytest

from studies.scale.memory import Kept, bytes_per_image

LEAST_SHARDS = 2  # of every preset


@pytest.mark.slow
def test_a_job_keeps_at_most_a_kilobyte_for_each_image_of_the_set():
    found = bytes_per_image(500)
    assert {name.split()[0].rstrip(",") for name in found} == {
        "data", "cam", "pseudo", "affinity", "walk", "segment", "evaluate", "report",
    }  # fmt: skip
    kept = {name: value.per_image(LEAST_SHARDS) for name, value in found.items()}
    assert all(0 < value <= 1024 for value in kept.values()), kept
    assert kept["affinity"] > kept["cam train"]  # It reads what the other reads, and more.


def test_what_one_shard_takes_is_spread_over_the_set():
    assert Kept(100, 800, 0).per_image(4) == 300
