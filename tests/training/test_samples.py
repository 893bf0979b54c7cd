"""Which samples make up a step, whatever loads them and wherever training starts."""

import multiprocessing

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hfpl.numerics import Runtime
from hfpl.training.samples import load_batches, steps_per_epoch

RUNTIME = Runtime(torch.device("cpu"), workers=0)


class Numbers:
    """Samples that say which they are, and what their generator drew."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def sample(self, index, rng):
        return torch.tensor(index), torch.from_numpy(rng.random(3))


class Broken(Numbers):
    """Every sample is one that cannot be read."""

    def sample(self, index, rng):
        raise ValueError(f"images/{index}.jpg: not a readable image: truncated")


def batches(count=10, batch=3, start=0, steps=9, seed=0, workers=0, kind=Numbers):
    runtime = Runtime(torch.device("cpu"), workers)
    return list(load_batches(kind(count), batch, start, steps, seed, runtime))


def assert_equal(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert len(a) == len(b)
        assert all(torch.equal(s, t) for s, t in zip(a, b, strict=True))


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 20), batch=st.integers(1, 20), seed=st.integers(0, 99))
def test_an_epoch_visits_each_sample_at_most_once_and_drops_the_last_part(count, batch, seed):
    if count < batch:
        with pytest.raises(ValueError, match=f"{count} training images are fewer than a batch"):
            steps_per_epoch(count, batch)
        return
    per_epoch = count // batch
    assert steps_per_epoch(count, batch) == per_epoch
    found = batches(count, batch, steps=2 * per_epoch, seed=seed)
    assert len(found) == 2 * per_epoch
    for epoch in (found[:per_epoch], found[per_epoch:]):
        visited = torch.cat([indices for indices, _ in epoch])
        assert len(visited) == per_epoch * batch
        assert len(visited.unique()) == len(visited)
        assert visited.max() < count


def test_each_epoch_has_its_own_order_and_changes():
    found = batches(count=12, batch=12, steps=2)
    (first, drawn), (second, drawn_again) = found
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(12))
    assert first.tolist() != second.tolist()
    values = torch.cat([drawn, drawn_again])
    assert len(values.unique(dim=0)) == 24


def test_the_seed_chooses_order_and_changes():
    one, two = batches(seed=1), batches(seed=2)
    assert_equal(one, batches(seed=1))
    assert not torch.equal(one[0][0], two[0][0])
    by_index = [{int(i): v for i, v in zip(*found[0], strict=True)} for found in (one, two)]
    for index in by_index[0].keys() & by_index[1].keys():
        assert not torch.equal(by_index[0][index], by_index[1][index])


@pytest.mark.parametrize("start", [1, 3, 5, 8])
def test_starting_later_gives_what_the_whole_would(start):
    assert_equal(batches(start=start), batches()[start:])


@pytest.mark.parametrize("start", [0, 4])
def test_the_number_of_workers_does_not_matter(start):
    assert_equal(batches(start=start, workers=2), batches(start=start))


def test_torch_s_random_state_changes_nothing():
    torch.manual_seed(1)
    one = batches()
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002 - the old global state must not matter either
    assert_equal(one, batches())


def test_too_few_samples_are_one_clear_error():
    with pytest.raises(ValueError, match="2 training images are fewer than a batch of 3"):
        batches(count=2)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_cannot_be_read_is_one_line_whoever_reads_it(workers):
    with pytest.raises(ValueError, match=r"^images/\d+\.jpg: not a readable image: truncated$"):
        batches(workers=workers, kind=Broken)


def test_no_worker_is_left_behind():
    others = set(multiprocessing.active_children())
    found = load_batches(Numbers(10), 2, 0, 5, 0, Runtime(torch.device("cpu"), 1))
    next(found)
    assert len(set(multiprocessing.active_children()) - others) == 1
    found.close()
    assert set(multiprocessing.active_children()) <= others


def test_the_published_number_of_steps():
    assert 8 * steps_per_epoch(10_582, 8) == 10_576
