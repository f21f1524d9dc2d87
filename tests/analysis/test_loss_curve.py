"""Forms of a loss curve recover their own minima."""

import numpy as np
import pytest
from tests.simulations.synthetic import exponential, split

from hypertransfer.analysis.loss_curve import FORMS, minima, parabola, parabola_at

X = np.arange(-2.0, 3.0)
PLACES = (-0.4, -0.1, 0.0, 0.3)


@pytest.mark.parametrize("place", PLACES)
def test_each_form_recovers_its_own_minimum(place):
    curves = {
        "parabola": np.exp(split(1)(X - place)),
        "exponential": np.exp(exponential(1)(X - place)),
        "split": np.exp(split(4)(X - place)),
        "split loss": 1 + split(4)(X - place),
    }
    for name, losses in curves.items():
        found = dict(zip(FORMS, minima(X, losses), strict=True))
        assert found[name] == pytest.approx(place, abs=0.01), name


def test_a_parabola_ignores_the_skew_that_the_others_see():
    losses = np.exp(split(16)(X - 0.1))
    found = dict(zip(FORMS, minima(X, losses), strict=True))
    assert abs(found["parabola"] - 0.1) > 0.2
    assert found["split"] == pytest.approx(0.1, abs=0.01)


def test_curves_that_noise_bends_the_wrong_way_have_the_vertex_of_the_parabola():
    losses = np.array([1.0, 1.2, 1.0, 1.2, 1.0])
    assert all(-1 <= place <= 1 for place in minima(X, losses))


def test_a_parabola_at_a_place():
    x, y = np.array([-1.0, 0.0, 2.0]), np.array([3.0, 1.0, 9.0])
    assert [parabola_at(x, y, place) for place in x] == pytest.approx(y.tolist())
    assert parabola_at(x, y, parabola(x, y)) <= 1.0
