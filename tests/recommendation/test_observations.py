"""The best learning rate of each size and its error, from sweeps with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.support.recommendation import base_of, observed, runs_of

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.recommendation.observations import UNKNOWN_SEED, observations


def test_optima_and_sizes_are_those_of_the_sweeps():
    small, large = observed({16: -4.0, 64: -3.25})
    assert (small.size, large.size) == ((16, 2, 8, 100), (64, 2, 8, 100))
    assert small.logs == pytest.approx((4, 1, 3, math.log2(800)))
    assert large.logs == pytest.approx((6, *small.logs[1:]))
    assert large.base == (16, 2, 16, 200)
    assert small.optimum.log2_lr == pytest.approx(-4)
    assert large.optimum.log2_lr == pytest.approx(-3.25, abs=0.01)


def test_the_error_is_the_pooled_deviation_of_seeds_over_the_root_of_their_number():
    """The optimum of the mean of parabolas is the mean of their optima, so the truth is closed."""
    drawn = {16: np.array([-0.3, 0.1, 0.2]), 64: np.array([0.25, -0.15, -0.4])}
    found = observed({16: -4.0, 64: -4.0}, shifts=drawn.__getitem__)
    squares = sum(((values - values.mean()) ** 2).sum() for values in drawn.values())
    wanted = math.sqrt(squares / 4 / 3)
    for one in found:
        forms = (one.optimum.high - one.optimum.low) ** 2 / 12
        assert one.error == pytest.approx(math.sqrt(wanted**2 + forms), rel=5e-3)
        assert forms < 0.01 * wanted**2


def test_the_error_of_many_draws_has_the_size_of_what_varies():
    generator = np.random.default_rng(5)
    places, errors = [], []
    for _ in range(60):
        (one,) = observed({16: -4.0}, shifts=lambda _: generator.normal(0, 0.3, 3))
        places.append(one.optimum.log2_lr)
        errors.append(one.error**2)
    assert np.std(places) == pytest.approx(math.sqrt(np.mean(errors)), rel=0.25)


def test_a_best_rate_at_the_edge_is_open():
    small, large = observed({16: -4.0, 64: 5.0})
    assert not small.is_open
    assert large.is_open


def test_a_run_that_diverged_has_no_loss_but_counts():
    (one,) = observed({16: 0.5}, diverges=0.5)
    assert math.isinf(one.sweep.means()[-1])
    assert one.optimum.log2_lr == 0.0


def test_sizes_without_a_sweep_are_left_out_and_no_sweep_is_an_error():
    runs = runs_of({16: -4.0, 64: -4.0})
    single = runs[(runs["shape.width"] == 16) | (runs["lr"] == 2.0**-4)]
    assert [one.size[0] for one in observations(single, base_of)] == [16]
    with pytest.raises(AnalysisError, match="3 learning rates"):
        observations(runs[runs["lr"] == 2.0**-4], base_of)


def test_two_runs_of_one_seed_and_rate_are_an_error():
    runs = runs_of({16: -4.0})
    doubled = runs.assign(model=["a"] * len(runs))
    with pytest.raises(AnalysisError, match="runs at"):
        observations(doubled.loc[[*doubled.index, 0]], base_of)


def test_runs_that_diverged_and_ended_early_have_no_part_in_times_and_operations():
    small, large = observed({16: -4.0, 64: -4.0}, diverges=1.0)
    assert (small.flops, large.flops) == pytest.approx((1e6 * 16**2, 1e6 * 64**2))
    assert large.seconds == pytest.approx(0.01 * 64**2)


def test_with_one_seed_its_deviation_is_not_known():
    (one,) = observed({16: -4.0}, seeds=1)
    assert one.seed_deviation is None
    assert one.error == pytest.approx(UNKNOWN_SEED, rel=1e-3)
