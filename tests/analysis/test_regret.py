"""Regret and gain of a learning rate that is carried over, on sweeps whose answers are known."""

import math

import numpy as np
import pytest
from tests.support.sweeps import INF, parts, sweep

from hypertransfer.analysis import regret as analysis_regret
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import mean_over_seeds
from hypertransfer.analysis.sweeps import Sweep


def test_regret_is_the_loss_at_the_small_sizes_best_learning_rate_tried():
    small, large = sweep(16, 0.2), sweep(256, -3.0)
    assert analysis_regret.regret([small, large]).losses.tolist() == [4.5] * 3
    same = analysis_regret.regret([small, sweep(256, 0.3)])
    assert same.losses.tolist() == [0.0] * 3


def test_noise_that_looks_like_a_better_learning_rate_is_no_regret():
    """All learning rates of the large size are equally good, and the least mean is not chosen."""
    rng = np.random.default_rng(0)
    small = sweep(16, 0.2, noise=np.zeros((2000, 1)))
    flat = Sweep(256.0, small.lrs, 2 + rng.normal(0, 0.1, (2000, len(small.lrs))))
    found = np.concatenate(
        [
            analysis_regret.regret(
                [
                    Sweep(16.0, small.lrs, small.losses[rows]),
                    Sweep(256.0, flat.lrs, flat.losses[rows]),
                ]
            ).losses
            for rows in np.arange(2000).reshape(-1, 4)
        ]
    )
    assert abs(found.mean()) < 3 * found.std() / math.sqrt(len(found))


def test_regret_is_infinite_where_the_large_size_diverges_there():
    large = sweep(256, -3.0)
    large.losses[1, large.lrs >= 0.5] = INF
    found = analysis_regret.regret([sweep(16, 0.2), large])
    assert found.losses.tolist() == [4.5, INF, 4.5]


def test_regret_is_open_where_an_optimum_lies_on_the_edge():
    def known(values, *, level):
        return Estimate(1.0, 0.5, 2.0)

    to_large = analysis_regret.regret([sweep(16, 0.2), sweep(256, -9.0)]).estimate(known)
    assert parts(to_large) == (1.0, 0.5, INF)
    from_small = analysis_regret.regret([sweep(16, -9.0), sweep(256, 0.2)]).estimate(known)
    assert parts(from_small) == (1.0, 0, INF)
    inside = analysis_regret.regret([sweep(16, 0.2), sweep(256, 0.2)])
    negative = inside.estimate(lambda values, *, level: Estimate(-0.1, -0.3, 0.1))
    assert parts(negative) == (0, 0, 0.1)


def test_the_interval_is_over_every_rate_that_may_be_the_large_sizes_best():
    """The other seeds choose a rate of the large size that is not the best for three of six."""
    small = Sweep(16.0, 2.0 ** np.arange(4), np.tile([9.0, 9.0, 1.0, 9.0], (6, 1)))
    large = np.tile([3.0, 2.0, 2.5, 3.0], (6, 1))
    large[:, 0] += [-1.2, -1.2, -1.2, 0.4, 0.4, 0.4]  # the mean is 2.6, and 1.8 for three seeds
    found = analysis_regret.regret([small, Sweep(256.0, small.lrs, large)])
    assert len(found.differences) == 2, "the rates at 2.5 and 3 are clearly worse"
    ends = [mean_over_seeds(values) for values in found.differences]
    assert ends[0].high > ends[1].high == 0.5
    estimate = found.estimate()
    assert (estimate.value, estimate.high) == (pytest.approx(0.5), ends[0].high)
    assert ends[0].low < estimate.low == 0 < ends[1].low


def test_the_interval_is_over_every_rate_that_may_be_the_small_sizes_best():
    """Noise decides which of two rates is carried over, one of which costs the large size 2."""
    rates, noise = 2.0 ** np.arange(4), np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.06])
    small = np.tile([9.0, 1.0, 1.0, 9.0], (6, 1))
    small[:, 1] += noise  # the mean is 0.007 above that of the other
    large = Sweep(256.0, rates, np.tile([5.0, 3.0, 1.0, 5.0], (6, 1)))
    found = analysis_regret.regret([Sweep(16.0, rates, small), large])
    assert sorted(values[0] for values in found.differences) == [0, 2]
    assert parts(found.estimate())[1:] == (0, 2)
    clear = small + np.array([0, 0, 1, 0])
    found = analysis_regret.regret([Sweep(16.0, rates, clear), large])
    assert parts(found.estimate()) == (2, 2, 2)


def test_a_level_is_passed_on():
    rates, rng = 2.0 ** np.arange(4), np.random.default_rng(0)
    small = Sweep(16.0, rates, np.tile([9.0, 1.0, 9.0, 9.0], (4, 1)))
    large = Sweep(256.0, rates, rng.normal([5.0, 3.0, 1.0, 5.0], 0.1, (4, 4)))
    for level in (0.5, 0.99):
        found = analysis_regret.regret([small, large], level).estimate()
        single = mean_over_seeds(large.losses[:, 1] - large.losses[:, 2], level=level)
        assert (found.low, found.high) == (single.low, single.high)


def test_rates_of_two_seeds_bound_nothing():
    small, large = sweep(16, 0.2), sweep(256, -1.0)
    whole = analysis_regret.regret([small, large]).estimate()
    large.losses[2:, 0] = np.nan
    assert parts(analysis_regret.regret([small, large]).estimate()) == parts(whole)


def test_a_rate_that_may_be_the_best_and_lacks_seeds_leaves_the_regret_open():
    """Two rates tie on the small size; one costs the large size 2, and ran with one seed."""
    rates, noise = 2.0 ** np.arange(4), np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.06])
    small = np.tile([9.0, 1.0, 1.0, 9.0], (6, 1))
    small[:, 1] += noise
    large = np.tile([5.0, 3.0, 1.0, 5.0], (6, 1))
    large[1:, 1] = np.nan
    sizes = [Sweep(16.0, rates, small), Sweep(256.0, rates, large)]
    found = analysis_regret.regret(sizes)
    assert found.pairs_lack_seeds
    assert parts(found.estimate())[1:] == (0, math.inf)
    never = Sweep(256.0, rates[[0, 2, 3]], large[:, [0, 2, 3]])
    assert analysis_regret.regret([sizes[0], never]).pairs_lack_seeds


def test_a_lowest_mean_of_two_seeds_leaves_the_regret_open():
    """The best rate of the large size is 1 lower than the next one, by two of five seeds."""
    rates = 2.0 ** np.arange(4)
    noise = np.array([[0.02], [-0.01], [0.0], [0.01], [-0.02]])
    small = np.tile([9.0, 1.0, 9.0, 9.0], (5, 1)) + noise
    large = np.tile([5.0, 3.0, 1.6, 5.0], (5, 1)) + noise
    of_two = large.copy()
    of_two[:, 2] -= 1
    of_two[2:, 2] = np.nan
    sizes = Sweep(16.0, rates, small), Sweep(256.0, rates, of_two)
    assert analysis_regret.regret(sizes).estimate().high == math.inf
    assert math.isfinite(
        analysis_regret.regret([sizes[0], Sweep(256.0, rates, large)]).estimate().high
    )
    few = small.copy()
    few[:, 2] = [0.5, 0.5, np.nan, np.nan, np.nan]
    found = analysis_regret.regret([Sweep(16.0, rates, few), Sweep(256.0, rates, large)])
    assert parts(found.estimate())[1:] == (0, math.inf)


def test_there_is_no_regret_without_the_same_learning_rate_at_both_sizes():
    apart = [sweep(16, 0.2), sweep(256, -3, np.arange(-6, 3) + 0.5)]
    assert analysis_regret.regret(apart) is None


def test_what_the_large_network_gains_at_the_small_ones_best_rate():
    small = Sweep(1.0, np.array([1.0, 2.0]), np.array([[3.0, 2.0]]))
    large = Sweep(8.0, np.array([2.0, 4.0]), np.array([[1.5, 1.0]]))
    assert analysis_regret.transfer_gain([small, large]).tolist() == [0.5]
    elsewhere = Sweep(8.0, np.array([4.0]), np.array([[1.0]]))
    assert np.isnan(analysis_regret.transfer_gain([small, elsewhere])).all()
