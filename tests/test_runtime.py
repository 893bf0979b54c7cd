"""Device, threads and seeds."""

import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.jobs.runtime import set_up
from hfpl.numerics import Runtime, derived_seed, generator, seed_torch

PARTS = st.lists(st.one_of(st.integers(), st.text(max_size=8)), min_size=1, max_size=3)


@pytest.fixture(autouse=True)
def threads():
    """Leaves the number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@settings(deadline=None)
@given(parts=PARTS)
def test_a_seed_is_in_torch_s_range_and_repeats(parts):
    seed = derived_seed(*parts)
    assert 0 <= seed < 2**63
    assert seed == derived_seed(*parts)


@settings(deadline=None)
@given(one=PARTS, other=PARTS)
def test_different_parts_give_different_seeds(one, other):
    assert (derived_seed(*one) == derived_seed(*other)) == (one == other)


def test_seeds_stay_as_they_are():
    """Results of earlier versions are reproduced only while these numbers hold."""
    assert derived_seed("step", 0, 1) == 6437427638298519910
    assert generator("order", 0, 0).integers(1000, size=3).tolist() == [586, 714, 29]


def test_parts_of_other_types_are_other_seeds():
    assert derived_seed("1") != derived_seed(1)
    assert derived_seed("a", "b") != derived_seed("ab")


def test_generators_are_independent():
    one, again, other = generator("a", 0), generator("a", 0), generator("a", 1)
    first = one.random(4)
    np.testing.assert_array_equal(first, again.random(4))
    assert not np.array_equal(first, other.random(4))


def test_torch_draws_the_same_after_the_same_seed():
    drawn = []
    for seed in (0, 1, 0):
        seed_torch("x", seed)
        drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


def test_set_up_fixes_the_number_of_threads():
    runtime = set_up("cpu", 1, 3)
    assert torch.get_num_threads() == 1
    assert runtime == Runtime(torch.device("cpu"), 3)
    set_up("cpu", 2, 0)
    assert torch.get_num_threads() == 2
    set_up("cpu", None, 0)
    assert torch.get_num_threads() == 2


def test_the_device_is_found_where_none_is_asked_for():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert set_up("auto", 1, 0).device.type == expected


@pytest.mark.parametrize("device", ["gpu", "", "cpu:x", "cuda:-1"])
def test_a_device_that_is_none_is_named(device):
    with pytest.raises(ValueError, match=f"--device {device}: expected auto, cpu, cuda") as error:
        set_up(device)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_named(device):
    with pytest.raises(ValueError, match=f"--device {device}: torch finds no CUDA device"):
        set_up(device)


@pytest.mark.parametrize("device", ["meta", "mps", "xpu"])
def test_devices_that_the_project_does_not_know_are_refused(device):
    with pytest.raises(ValueError, match=f"--device {device}: expected auto, cpu, cuda"):
        set_up(device)


@pytest.mark.parametrize("threads", [0, -1])
def test_numbers_of_threads_below_one_are_refused(threads):
    with pytest.raises(ValueError, match="--threads"):
        set_up("cpu", threads, 0)


def test_a_negative_number_of_workers_is_refused():
    with pytest.raises(ValueError, match="--workers"):
        set_up("cpu", 1, -1)


@pytest.mark.parametrize(
    ("cores", "threads", "workers"), [(1, 1, 0), (2, 2, 0), (1, 2, 0), (2, 1, 1), (16, 2, 8)]
)
def test_images_are_loaded_by_cores_that_are_free(monkeypatch, cores, threads, workers):
    monkeypatch.setattr("hfpl.jobs.runtime._cores", lambda: cores)
    assert set_up("cpu", threads).workers == workers


def test_a_gpu_is_never_without_a_worker(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("hfpl.jobs.runtime._cores", lambda: 1)
    assert set_up("cuda", 1).workers == 1
    monkeypatch.setattr("hfpl.jobs.runtime._cores", lambda: 6)
    assert set_up("cuda", 6).workers == 5


FAULTS = """
import resource
import torch
from hfpl.jobs.runtime import set_up
set_up("cpu", 1, 0)
for _ in range(40):  # the first ones find their places
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(2_000_000).add(1).sum()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_used_again():
    # In a process of its own, whose memory nothing else has scattered.
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = 2 * 8_000_000 // resource.getpagesize()
    assert min(map(int, done.stdout.split())) < pages / 10


def test_networks_run_in_float32_on_a_cpu():
    with set_up("cpu", 1, 0).autocast():
        assert not torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
