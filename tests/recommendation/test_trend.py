"""The trend against the conditioning of a joint Gaussian, and its coverage by simulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.recommendation import observed

from hypertransfer.recommendation.observations import Observation
from hypertransfer.recommendation.theory import CARRIED, THEORY, UNKNOWN, Slope
from hypertransfer.recommendation.trend import ANYWHERE, Prior, trend

PRIOR = Prior(carried=0.1, theory=0.3, unknown=0.4, scatter=0.2)
SLOPES = {
    "width": Slope(CARRIED),
    "depth": Slope(UNKNOWN),
    "batch": Slope(THEORY, 0.5),
    "duration": Slope(THEORY, -0.5),
}


@dataclasses.dataclass(frozen=True)
class Placed(Observation):
    """An observation anywhere, also at sizes that are no whole numbers."""

    place: tuple[float, ...] = ()

    @property
    def logs(self):
        return self.place


def with_errors(found, errors, places, logs):
    """Observations with other values."""
    return [
        Placed(
            **{
                **vars(one),
                "error": error,
                "place": log,
                "optimum": dataclasses.replace(one.optimum, log2_lr=place),
            }
        )
        for one, error, place, log in zip(found, errors, places, logs, strict=True)
    ]


@pytest.fixture(scope="module")
def three():
    return observed({16: -4.0, 32: -4.0, 64: -4.0})


LOGS = st.lists(
    st.tuples(*[st.floats(-3, 3)] * 4), min_size=4, max_size=4
)  # three measured, one target


@given(LOGS, st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.data())
def test_the_forecast_is_that_of_a_joint_gaussian(three, logs, errors, data):
    places = data.draw(st.lists(st.floats(-10, 2), min_size=3, max_size=3))
    found = with_errors(three, errors, places, logs[:3])
    forecast = trend(found, SLOPES, PRIOR).at(logs[3])
    everywhere = np.array(logs)
    slopes = np.diag(np.array([0.1, 0.4, 0.3, 0.3]) ** 2)
    theory = everywhere @ np.array([0, 0, 0.5, -0.5])
    joint = ANYWHERE**2 + everywhere @ slopes @ everywhere.T + PRIOR.scatter**2 * np.eye(4)
    known = joint[:3, :3] + np.diag(np.array(errors) ** 2)
    gain = joint[3, :3] @ np.linalg.inv(known)
    assert forecast.log2_lr == pytest.approx(
        theory[3] + gain @ (np.array(places) - theory[:3]), abs=1e-3
    )
    variance = joint[3, 3] - gain @ joint[:3, 3]
    assert forecast.deviation**2 == pytest.approx(variance, abs=1e-3)


def test_one_size_leaves_the_rate_where_it_is_and_the_interval_grows_with_the_way(three):
    fitted = trend(three[:1], SLOPES, PRIOR)
    here = three[0].logs
    near, far = (fitted.at((here[0] + away, *here[1:])) for away in (1, 3))
    assert (near.log2_lr, far.log2_lr) == pytest.approx((-4, -4), abs=1e-3)
    assert near.deviation < far.deviation
    assert (
        fitted.at((here[0], here[1] + 1, *here[2:])).deviation > near.deviation
    )  # the table does not scale the depth


def test_a_further_sweep_gives_the_deviation_of_a_fit_with_it(three):
    logs = (3.0, 0, 0, 0)
    expected = trend(three, SLOPES, PRIOR).with_sweep(logs, 0.3)
    more = with_errors(
        [*three, three[0]],
        [one.error for one in three] + [0.3],
        [-4.0] * 4,
        [one.logs for one in three] + [logs],
    )
    target = (5.0, 0, 0, 0)
    assert expected.at(target).deviation == pytest.approx(
        trend(more, SLOPES, PRIOR).at(target).deviation
    )


def test_open_sizes_have_no_part_and_no_size_has_no_trend(three):
    edge = observed({16: -4.0, 64: 9.0})
    assert trend(edge, SLOPES, PRIOR).mean == pytest.approx(trend(edge[:1], SLOPES, PRIOR).mean)
    assert trend(edge[1:], SLOPES, PRIOR) is None


def test_intervals_cover_as_often_as_they_say(three):
    generator = np.random.default_rng(0)
    logs = [(0.0, 0, 0, 0), (1.0, 0, 0, 0), (2.0, 0, 0, 0)]
    inside = 0
    for _ in range(2000):
        slope = generator.normal(0, PRIOR.carried)  # over the width, which the table scales
        errors = generator.uniform(0.05, 0.4, 3)
        truths = [-4 + slope * log[0] + generator.normal(0, PRIOR.scatter) for log in logs]
        found = with_errors(three, errors, truths + generator.normal(0, errors), logs)
        low, high = trend(found, SLOPES, PRIOR).at((5.0, 0, 0, 0)).interval(0.8)
        inside += low <= -4 + slope * 5 + generator.normal(0, PRIOR.scatter) <= high
    assert inside / 2000 == pytest.approx(0.8, abs=0.03)
