"""The order of minibatches."""

import hashlib
import itertools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.images import quick

from hypertransfer.data.samples import batches

torch.set_num_threads(1)

EPOCHS = 3

shapes = st.integers(1, 120).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))

seeds = st.integers(0, 2**40)


def epochs(n: int, batch_size: int, seed: int) -> list[list[torch.Tensor]]:
    order = batches(n, batch_size, seed)
    return [list(itertools.islice(order, n // batch_size)) for _ in range(EPOCHS)]


@given(shape=shapes, seed=seeds)
@quick
def test_an_epoch_shows_no_sample_twice(shape, seed):
    n, batch_size = shape
    for epoch in epochs(n, batch_size, seed):
        assert all(index.shape == (batch_size,) and index.dtype == torch.int64 for index in epoch)
        seen = torch.cat(epoch)
        assert seen.min() >= 0
        assert seen.max() < n
        assert len(seen.unique()) == len(seen) == n - n % batch_size


@given(shape=shapes, seed=seeds)
@quick
def test_the_order_is_the_documented_one(shape, seed):
    n, batch_size = shape
    for e, epoch in enumerate(epochs(n, batch_size, seed)):
        drawn = int(hashlib.sha256(f"{seed}/epoch/{e}".encode()).hexdigest()[:16], 16) // 2
        order = torch.randperm(n, generator=torch.Generator().manual_seed(drawn))
        assert torch.equal(torch.cat(epoch), order[: n - n % batch_size])


@given(shape=shapes, seed=seeds, noise=st.integers(0, 100))
@quick
def test_the_order_depends_on_nothing_else(shape, seed, noise):
    first = epochs(*shape, seed)
    torch.manual_seed(noise)
    state = torch.get_rng_state()
    again = epochs(*shape, seed)
    assert torch.equal(torch.get_rng_state(), state)
    for one, two in zip(first, again, strict=True):
        assert torch.equal(torch.cat(one), torch.cat(two))


@given(n=st.integers(30, 120), seed=seeds, other=seeds)
@quick
@example(n=30, seed=0, other=1)
@example(n=30, seed=1, other=2**32 + 1)
def test_seeds_and_epochs_differ(n, seed, other):
    one, two = epochs(n, n, seed), epochs(n, n, other)
    orders = {tuple(torch.cat(epoch).tolist()) for epoch in one + two}
    assert len(orders) == (EPOCHS if seed == other else 2 * EPOCHS)


@pytest.mark.parametrize(("n", "batch_size"), [(3, 4), (0, 1), (3, 0), (3, -1)])
def test_a_batch_beyond_the_data_is_refused_at_once(n, batch_size):
    with pytest.raises(ValueError, match=f"batch_size {batch_size} is not between 1 and the {n}"):
        batches(n, batch_size, seed=0)
