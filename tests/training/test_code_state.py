"""State in closures, bound methods, `partial`, classes and hooks of an optimizer returns."""

from __future__ import annotations

import random
from functools import partial
from types import MethodType

import numpy as np
import pytest
import torch
from tests.training.test_optimizer_state import through_a_file

from hypertransfer.training.optimizer_state import of_optimizer, to_optimizer
from hypertransfer.training.state import StateError


def counter():
    """A function that counts its calls in its closure."""
    calls = 0

    def count():
        nonlocal calls
        calls += 1
        return calls

    return count


def listed(calls=None, *, cache):
    """A function that counts its calls in a list that it is given."""
    cache.append(calls)
    return len(cache)


class Helper:
    def __init__(self):
        self.calls = 0

    def count(self):
        self.calls += 1
        return self.calls


class Own(torch.optim.Optimizer):
    """Keeps a count, or draws, in a function; `make` makes the function."""

    made = 0

    def __init__(self, make):
        super().__init__([torch.nn.Parameter(torch.zeros(2))], {"lr": 0.1})
        self.function = make()


def attribute():
    """A function that counts its calls in its attribute."""

    def count():
        count.calls += 1
        return count.calls

    count.calls = 0
    return count


def given_a_default():
    def count(calls=[]):  # noqa: B006 — what users write
        calls.append(None)
        return len(calls)

    return count


def ignoring(count):
    return lambda self: count()


FUNCTIONS = {
    "closure": counter,
    "attribute": attribute,
    "default": given_a_default,
    "partial": lambda: partial(listed, cache=[]),
    "nested": lambda: partial(counter()),
    "bound": lambda: Helper().count,
    "made a method": lambda: MethodType(ignoring(counter()), object),
    "random": lambda: random.Random(0).random,
    "numpy": lambda: np.random.default_rng(0).normal,
    "old numpy": lambda: np.random.RandomState(0).rand,
    "torch": lambda: partial(torch.rand, (), generator=torch.Generator()),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_holds_returns(name):
    whole, second = Own(FUNCTIONS[name]), Own(FUNCTIONS[name])
    for _ in range(3):
        whole.function()
    state = through_a_file(whole)
    expected = whole.function()
    assert expected != Own(FUNCTIONS[name]).function()
    to_optimizer(second, *state)
    assert second.function() == expected


def test_a_function_that_refers_to_itself_and_the_optimizer_is_written():
    def make():
        steps = [0]

        def again():
            steps[0] += 1
            return again if steps[0] < 0 else steps[0]

        return again

    whole, second = Own(make), Own(make)
    for optimizer in (whole, second):
        optimizer.method = optimizer.zero_grad
        optimizer.scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
    whole.function()
    to_optimizer(second, *through_a_file(whole))
    assert second.function() == 2
    assert second.method.__self__ is second


def test_values_of_classes_return():
    whole = Own(counter)
    Own.made = 7
    state = through_a_file(whole)
    Own.made = 0
    to_optimizer(Own(counter), *state)
    assert Own.made == 7
    Own.made = 0


def test_another_function_at_the_place_is_refused():
    state = through_a_file(Own(counter))
    with pytest.raises(StateError, match=r"attribute.<locals>.count stands where .* counter"):
        to_optimizer(Own(attribute), *state)


def test_what_cannot_be_written_is_named_with_the_function():
    def make():
        log = iter([])
        return lambda: next(log)

    with pytest.raises(StateError, match=r"Own\.function\.log holds an object of builtins.list_it"):
        of_optimizer(Own(make))


def test_hooks_stay_those_of_the_new_optimizer_and_what_they_hold_returns():
    counts = [counter(), counter()]
    whole, second = Own(counter), Own(counter)
    other = Own(counter)
    other.register_step_pre_hook(lambda *_: None)  # the numbers of hooks count over optimizers
    for optimizer, count in zip((whole, second), counts, strict=True):
        optimizer.register_step_post_hook(count)
    counts[0]()
    counts[0]()
    to_optimizer(second, *through_a_file(whole))
    assert list(second._optimizer_step_post_hooks.values()) == [counts[1]]
    assert counts[1]() == 3
    with pytest.raises(StateError, match="of another optimizer"):
        to_optimizer(other, *through_a_file(whole))
