"""Schedules: factors of the peak learning rate, in closed form."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypertransfer.runs import parse
from hypertransfer.runs.problem import ProblemError
from hypertransfer.runs.schedule import factor
from hypertransfer.runs.spec import Schedule

schedules = st.builds(
    Schedule,
    st.sampled_from(["constant", "linear", "cosine"]),
    st.one_of(st.integers(0, 20), st.floats(0.01, 0.5)),
    st.floats(0.05, 1),
    st.floats(0, 1),
)


def rates(schedule, steps):
    return [factor(schedule, step, steps) for step in range(steps)]


@given(schedules, st.integers(1, 200))
def test_rates_rise_to_the_peak_stay_and_fall(schedule, steps):
    found = rates(schedule, steps)
    peak = found.index(max(found))
    assert all(0 < rate <= 1 for rate in found) or schedule.final == 0
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert all(a >= b - 1e-12 for a, b in zip(found[peak:], found[peak + 1 :], strict=False))
    assert min(found[peak:]) >= min(schedule.final, found[peak]) - 1e-12  # a warm-up may not end


def test_linear_and_cosine_in_closed_form():
    linear = rates(Schedule("linear", 0.2, 1.0, 0.0), 10)
    assert linear == pytest.approx([0.5, 1, *(1 - i / 8 for i in range(8))])
    cosine = rates(Schedule("cosine", 0, 1.0, 0.1), 4)
    assert cosine == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * i / 4)) for i in range(4)])
    late = rates(Schedule("linear", 1, 0.4, 0.0), 10)
    assert late == pytest.approx([1, 1, 1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4])


@given(st.sampled_from(["linear", "cosine"]), st.integers(1, 9), st.floats(0.1, 1))
def test_shares_of_the_run_scale_with_it(name, times, final):
    """The same curve at every duration, as a rule for the duration needs."""
    schedule = Schedule(name, 0.1, 0.5, final)
    short, long = rates(schedule, 100), rates(schedule, 100 * times)
    after = [i for i in range(100) if i >= 10]
    assert [long[i * times] for i in after] == pytest.approx([short[i] for i in after])


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"name": "step"}, "schedule.name"),
        ({"warmup": 1.5}, "schedule.warmup"),
        ({"name": "linear", "decay": 0}, "schedule.decay"),
        ({"name": "linear", "decay": 1.5}, "schedule.decay"),
        ({"name": "cosine", "final": -0.1}, "schedule.final"),
        ({"name": "constant", "final": 0.1}, "schedule.final"),
        ({"decay_steps": 5}, "schedule.decay_steps"),
    ],
)
def test_schedules_that_cannot_be_meant_are_refused(values, key):
    with pytest.raises(ProblemError) as caught:
        parse.schedule(("schedule",), values)
    (problem,) = caught.value.problems
    assert problem.key == key
