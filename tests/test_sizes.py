"""Sizes in words."""

from hfpl.jobs.sizes import human


def test_sizes_are_readable():
    found = [human(n) for n in (0, 999, 1000, 252907541, 19336861798)]
    assert found == ["0 bytes", "999 bytes", "1.0 kB", "252.9 MB", "19.3 GB"]
