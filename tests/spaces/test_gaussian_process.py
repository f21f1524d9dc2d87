"""The Gaussian process of Bayesian optimisation: losses, expected improvement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.spaces.gaussian_process import (
    expected_improvement,
    finite,
    gaussian_process,
    matern_kernel,
    most_promising,
    standardised,
)


def test_diverged_trials_count_as_worse_than_the_worst():
    assert finite(np.array([1.0, np.inf, 3.0])).tolist() == [1.0, 5.0, 3.0]
    assert finite(np.array([np.inf, 2.0]))[0] > 2.0


@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2), st.floats(0.1, 2), st.floats(-2, 2))
def test_expected_improvement_is_the_mean_of_improvements(mean, deviation, best):
    draws = mean + deviation * np.random.default_rng(0).standard_normal(200_000)
    expected = np.maximum(best - draws, 0).mean()
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    assert found == pytest.approx(expected, abs=0.02)


def test_a_few_iterations_come_close_to_the_best_kernel():
    generator = np.random.default_rng(0)
    points = generator.random((20, 4))
    values = standardised(np.sin(4 * points[:, 0]) + points[:, 1] ** 2)
    kernel = matern_kernel(np.full(4, 0.5), (0.1, 2.0), noise=1e-3)
    whole, few, none = (
        gaussian_process(kernel, points, values, n).log_marginal_likelihood_value_
        for n in (None, 20, 1)
    )
    assert none < few - 0.5
    assert whole - 0.1 < few <= whole + 1e-6


def test_the_most_promising_candidate_is_where_the_process_expects_the_least():
    points = np.linspace(0, 1, 9)[:, None]
    values = (points[:, 0] - 0.5) ** 2
    process = gaussian_process(matern_kernel(0.5, (0.05, 20.0), 1e-3), points, values)
    candidates = np.array([[0.1], [0.52], [0.9]])
    index, mean = most_promising(process, candidates, 0.01)
    assert index == 1
    assert mean == pytest.approx(process.predict(candidates)[1])


def test_a_kernel_has_a_length_scale_for_each_dimension_of_an_array():
    points = np.random.default_rng(0).random((30, 2))
    process = gaussian_process(
        matern_kernel(np.full(2, 0.5), (0.05, 20.0), 1e-3), points, np.sin(9 * points[:, 0])
    )
    first, second = process.kernel_.k1.k2.length_scale
    assert first < second, "values depend on the first coordinate alone"
