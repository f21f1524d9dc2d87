"""Sweeps over sizes: shift, slope, regret and gain, and sweeps read from tables of runs."""

import math

import numpy as np
import pandas as pd
import pytest
from tests.support.sweeps import ALL, INF, near, parabola, parts, rows, runs_table, sweep

from hypertransfer.analysis import estimate
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import AnalysisError, exact
from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.runs.columns import SUMMARY


def test_shift_and_slope_of_a_known_drift():
    sizes = [16, 32, 128, 512]
    sweeps = [sweep(n, -0.25 - 0.5 * math.log2(n / 16)) for n in sizes]
    for per_seed in (False, True):
        places = analysis_sweeps.optima(sweeps, ALL(3), per_seed)
        assert analysis_sweeps.shift(places).value == pytest.approx(-2.5)
        assert analysis_sweeps.slope(sizes, places).value == pytest.approx(-0.5)


def test_an_edge_at_the_largest_size_bounds_shift_and_slope_on_one_side():
    sizes = [16, 64, 256]
    sweeps = [sweep(n, v) for n, v in zip(sizes, (0.25, -3, -9), strict=True)]
    places = analysis_sweeps.optima(sweeps, ALL(3))
    assert analysis_sweeps.shift(places).low == analysis_sweeps.slope(sizes, places).low == -INF
    assert analysis_sweeps.shift(places).high == pytest.approx(-5.5 - 0.25)
    assert analysis_sweeps.slope(sizes, places).high < -1


def test_one_diverged_seed_makes_the_mean_diverge_but_not_the_other_seeds():
    losses = np.tile(parabola(range(5), 2.2), (3, 1))
    losses[0, 3] = INF
    swept = Sweep(64.0, 2.0 ** np.arange(5), losses)
    assert swept.optimum(ALL(3)).high == 3
    assert swept.optimum(np.array([1, 2])).high == pytest.approx(2.2)
    highs = [found.high for found in swept.seed_optima(ALL(3))]
    assert highs == pytest.approx([3, 2.2, 2.2])


def test_regret_is_the_loss_at_the_small_sizes_best_learning_rate_tried():
    small, large = sweep(16, 0.2), sweep(256, -3.0)
    found = analysis_sweeps.regret([small, large], ALL(3))
    assert parts(found) == near(exact(4.5))
    same = analysis_sweeps.regret([small, sweep(256, 0.3)], ALL(3))
    assert same == exact(0.0)


def test_regret_is_infinite_where_the_large_size_diverges_there():
    large = sweep(256, -3.0)
    large.losses[1, large.lrs >= 0.5] = INF
    assert analysis_sweeps.regret([sweep(16, 0.2), large], ALL(3)).low == INF


def test_regret_is_open_where_an_optimum_lies_on_the_edge():
    to_large = analysis_sweeps.regret([sweep(16, 0.2), sweep(256, -9.0)], ALL(3))
    assert to_large.low == to_large.value > 0
    assert to_large.high == INF
    from_small = analysis_sweeps.regret([sweep(16, -9.0), sweep(256, 0.2)], ALL(3))
    assert (from_small.low, from_small.high) == (0, INF)


def test_regret_is_open_without_the_same_learning_rate_at_both_sizes():
    apart = [sweep(16, 0.2), sweep(256, -3, np.arange(-6, 3) + 0.5)]
    found = analysis_sweeps.regret(apart, ALL(3))
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, INF)


def test_seed_deviation_is_the_spread_of_the_loss_at_the_best_learning_rate():
    noise = np.array([[-0.1], [0.0], [0.1]])
    sigma = analysis_sweeps.seed_deviation(sweep(16, 0.2, noise=noise))
    assert sigma == pytest.approx(0.1)
    assert estimate.in_units(exact(0.3), sigma).value == pytest.approx(3)
    assert math.isnan(analysis_sweeps.seed_deviation(sweep(16, 0.2, noise=np.zeros((1, 1)))))
    assert estimate.in_units(exact(0.3), math.nan).high == INF
    assert estimate.in_units(exact(0.0), 0.0) == exact(0.0)
    assert estimate.in_units(exact(0.3), 0.0) == exact(INF)


def test_sweeps_reads_a_shuffled_table_and_gives_diverged_runs_infinite_loss():
    frame = runs_table(rows())
    frame.loc[frame.index[0], ["final_loss", "status"]] = [math.nan, "diverged"]
    small, large = analysis_sweeps.sweeps(frame.sample(frac=1, random_state=1), "shape.width")
    assert (small.size, large.size) == (16, 64)
    assert small.lrs.tolist() == [0.25, 0.5, 1]
    assert small.losses[0, 0] == INF
    assert large.losses[:, 1] == pytest.approx([1.064, 1.164, 1.264])


def test_sweeps_may_have_other_learning_rates_at_each_size():
    frame = runs_table(rows(widths=[16]) + rows(widths=[64], log2_lrs=[-5, -4]))
    assert [len(s.lrs) for s in analysis_sweeps.sweeps(frame, "shape.width")] == [3, 2]


def test_what_is_wrong_with_a_table_is_said():
    frame = runs_table(rows())
    with pytest.raises(AnalysisError, match="no run of seed 0"):
        analysis_sweeps.sweeps(frame.drop(index=0), "shape.width")
    two = pd.concat([frame.assign(optimizer="sgd"), frame.assign(optimizer="adam")])
    two["key"] = range(len(two))
    with pytest.raises(AnalysisError, match=r"choose one in `where`; they differ in optimizer$"):
        analysis_sweeps.sweeps(two, "shape.width")
    with pytest.raises(AnalysisError, match="without a final_loss"):
        analysis_sweeps.sweeps(frame.assign(final_loss=math.nan), "shape.width")
    with pytest.raises(AnalysisError, match="not a positive number"):
        analysis_sweeps.sweeps(frame.assign(**{"shape.width": "wide"}), "shape.width")


def test_columns_that_are_results_are_not_blamed_for_double_runs():
    frame = runs_table(rows())
    twice = pd.concat([frame, frame.assign(key="again", **dict.fromkeys(SUMMARY, "other"))])
    twice = twice.assign(final_loss=1.0, status="finished")
    with pytest.raises(AnalysisError, match="differ in nothing that the table shows"):
        analysis_sweeps.sweeps(twice, "shape.width")


def test_only_seeds_that_every_size_has_are_used():
    frame = runs_table(rows(widths=[16], seeds=range(5)) + rows(widths=[64], seeds=range(3)))
    common, left_out = analysis_sweeps.common_seeds(frame, "shape.width")
    assert (sorted(set(common["seed"])), left_out) == ([0, 1, 2], 2)
    apart = runs_table(rows(widths=[16], seeds=[0]) + rows(widths=[64], seeds=[1]))
    with pytest.raises(AnalysisError, match="same seeds"):
        analysis_sweeps.common_seeds(apart, "shape.width")


def test_seeds_that_lack_a_point_of_a_sweep_are_left_out():
    frame = runs_table(rows(widths=[16, 64], seeds=range(3)))
    gap = (frame["seed"] == 1) & (frame["shape.width"] == 64) & (frame["lr"] == frame["lr"].min())
    common, left_out = analysis_sweeps.common_seeds(frame[~gap], "shape.width", "lr")
    assert (sorted(set(common["seed"])), left_out) == ([0, 2], 1)
    assert len(analysis_sweeps.sweeps_of_common_seeds(frame[~gap], "shape.width")) == 2
    assert analysis_sweeps.common_seeds(frame[~gap], "shape.width")[1] == 0


def test_seeds_count_for_combinations_of_columns_of_any_name():
    """An axis may be named `arm`."""
    frame = runs_table(rows(widths=[16, 64], seeds=range(3))).assign(arm=[*"ab"] * 9)
    gap = frame["seed"].eq(2) & frame["shape.width"].eq(64) & frame["arm"].eq("a")
    common, left_out = analysis_sweeps.common_seeds(frame[~gap], ["arm", "shape.width"])
    assert (sorted(set(common["seed"])), left_out) == ([0, 1], 1)
    assert set(common["arm"]) == {"a", "b"}
    apart = frame[frame["seed"].eq(0) == frame["arm"].eq("a")]
    with pytest.raises(AnalysisError, match="no seed was run at every arm and shape"):
        analysis_sweeps.common_seeds(apart, ["arm", "shape.width"], "lr")


def test_what_the_large_network_gains_at_the_small_ones_best_rate():
    small = Sweep(1.0, np.array([1.0, 2.0]), np.array([[3.0, 2.0]]))
    large = Sweep(8.0, np.array([2.0, 4.0]), np.array([[1.5, 1.0]]))
    assert analysis_sweeps.transfer_gain([small, large], np.array([0])).value == 0.5
    elsewhere = Sweep(8.0, np.array([4.0]), np.array([[1.0]]))
    found = analysis_sweeps.transfer_gain([small, elsewhere], np.array([0]))
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-INF, INF)


def test_shifts_from_the_smallest_size_have_intervals_over_seeds():
    sweeps = [sweep(n, -0.5 * math.log2(n / 16)) for n in (16, 32, 128)]
    shifts = analysis_sweeps.shifts_from_smallest(sweeps)
    assert [shift.value for shift in shifts] == pytest.approx([0, -0.5, -1.5])
    assert [shift.low for shift in shifts] == pytest.approx([0, -0.5, -1.5])
    assert [shift.count for shift in shifts] == [0, 3, 3]
    whole = analysis_sweeps.optimum_shift(sweeps, ALL(3))
    assert whole.value == pytest.approx(shifts[-1].value)


def test_a_curve_has_a_range_where_no_seed_diverged():
    losses = np.array([[3.0, 1.0, 4.0, 9.0], [5.0, 2.0, 4.5, INF]])
    swept = Sweep(8.0, np.array([0.25, 0.5, 1.0, 2.0]), losses)
    curve = swept.curve()
    assert curve.index.tolist() == [0.25, 0.5, 1.0, 2.0]
    assert curve["mean"].tolist() == [4.0, 1.5, 4.25, INF]
    assert curve["low"].tolist()[:3] == [3.0, 1.0, 4.0]
    assert curve["high"].tolist()[:3] == [5.0, 2.0, 4.5]
    assert curve.loc[2.0, ["low", "high"]].isna().all()
    assert (swept.best_tried(), swept.least_loss(), swept.least_loss(np.array([1]))) == (1, 1.5, 2)


def test_the_optimum_on_a_curve_is_interpolated_between_the_rates_tried():
    lr, loss = sweep(16, 0.25).optimum_on_curve()
    assert lr == pytest.approx(2**0.25)
    ends = parabola([0, 1], 0.25)
    assert loss == pytest.approx(0.75 * ends[0] + 0.25 * ends[1])
    assert sweep(16, -9).optimum_on_curve() is None
