"""Sweeps over sizes: shift, slope, and sweeps read from tables of runs."""

import math

import numpy as np
import pandas as pd
import pytest
from tests.support.sweeps import ALL, INF, parabola, parts, rows, runs_table, sweep

from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.runs.columns import SUMMARY


def test_shift_and_slope_of_a_known_drift():
    sizes = [16, 32, 128, 512]
    sweeps = [sweep(n, -0.25 - 0.5 * math.log2(n / 16), curvature=0.02) for n in sizes]
    for per_seed in (False, True):
        moved = analysis_sweeps.of_optima(sweeps, analysis_sweeps.shift, per_seed)
        assert parts(moved) == pytest.approx((-2.5, -2.5, -2.5), abs=0.02)
        slope = analysis_sweeps.of_optima(
            sweeps, lambda places: analysis_sweeps.slope(sizes, places), per_seed
        )
        assert parts(slope) == pytest.approx((-0.5, -0.5, -0.5), abs=0.02)


def test_an_edge_at_the_largest_size_bounds_shift_and_slope_on_one_side():
    sizes = [16, 64, 256]
    sweeps = [sweep(n, v, curvature=0.02) for n, v in zip(sizes, (0.25, -3, -9), strict=True)]
    for places in analysis_sweeps.optima(sweeps, ALL(3)):
        shift, slope = analysis_sweeps.shift(places), analysis_sweeps.slope(sizes, places)
        assert shift.low == slope.low == -INF
        assert shift.high == pytest.approx(-5 - 0.25, abs=0.02)
        assert slope.high < -1


def test_one_diverged_seed_makes_the_mean_diverge_but_not_the_other_seeds():
    losses = np.tile(parabola(range(5), 2.2, 0.02), (3, 1))
    losses[0, 3] = INF
    swept = Sweep(64.0, 2.0 ** np.arange(5), losses)
    assert swept.optimum(ALL(3)).high == 3
    assert swept.optimum(np.array([1, 2])).high == pytest.approx(2.2, abs=0.02)
    highs = [found.high for found in swept.seed_optima(ALL(3))]
    assert highs == pytest.approx([3, 2.2, 2.2], abs=0.02)


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


def test_seeds_that_lack_a_point_of_a_sweep_count_where_they_ran():
    frame = runs_table(rows(widths=[16, 64], seeds=range(3)))
    gap = (frame["seed"] == 1) & (frame["shape.width"] == 64) & (frame["lr"] == frame["lr"].min())
    common, left_out = analysis_sweeps.common_seeds(frame[~gap], "shape.width", "lr")
    assert (sorted(set(common["seed"])), left_out) == ([0, 1, 2], 0)
    small, large = analysis_sweeps.sweeps_of_common_seeds(frame[~gap], "shape.width")
    assert np.isnan(large.losses).sum() == 1
    # Seeds differ by an offset alone, so the mean is the one that all runs would have given.
    assert large.means() == pytest.approx(small.means() + 0.048)
    complete, left_out = analysis_sweeps.common_seeds(
        frame[~gap], "shape.width", "lr", complete=True
    )
    assert (sorted(set(complete["seed"])), left_out) == ([0, 2], 1)


def test_a_seed_with_one_learning_rate_of_many_is_left_out():
    frame = runs_table(rows(widths=[16, 64], seeds=range(3)))
    alone = (frame["seed"] != 1) | (frame["lr"] == frame["lr"].min())
    assert analysis_sweeps.common_seeds(frame[alone], "shape.width", "lr")[1] == 1


def test_a_seed_chooses_no_learning_rate_for_itself():
    losses = np.array([[0.0, 3.0, 3.0], [2.0, 1.0, 3.0], [2.0, 1.5, 3.0], [math.nan, 9.0, 3.0]])
    swept = Sweep(1.0, np.array([1.0, 2.0, 4.0]), losses[:3])
    assert [swept.chosen_by_others(seed) for seed in range(3)] == [1, 0, 0]
    assert analysis_sweeps.tuned_losses(swept, swept).tolist() == [3.0, 2.0, 2.0]
    # A seed is valued at the best of the learning rates that it ran.
    partial = Sweep(1.0, swept.lrs, losses)
    assert partial.chosen_by_others(3) == 1
    elsewhere = Sweep(2.0, np.array([2.0, 8.0]), np.ones((3, 2)))
    assert np.isnan(analysis_sweeps.tuned_losses(swept, elsewhere)).tolist() == [False, True, True]


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


def test_shifts_from_the_smallest_size_have_intervals_over_seeds():
    sweeps = [sweep(n, -0.5 * math.log2(n / 16), curvature=0.02) for n in (16, 32, 128)]
    shifts = analysis_sweeps.shifts_from_smallest(sweeps)
    for shift, moved in zip(shifts, (0, -0.5, -1.5), strict=True):
        assert parts(shift) == pytest.approx((moved,) * 3, abs=0.03)
    assert [shift.count for shift in shifts] == [0, 3, 3]


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
    swept = sweep(16, 0.25, curvature=0.02)
    lr, loss = swept.optimum_on_curve()
    place = swept.optimum(ALL(3)).log2_lr
    assert math.log2(lr) == pytest.approx(place)
    assert place == pytest.approx(0.25, abs=0.02)
    ends = parabola([0, 1], 0.25, 0.02)
    assert loss == pytest.approx((1 - place) * ends[0] + place * ends[1])
    assert sweep(16, -9).optimum_on_curve() is None


def test_learning_rates_that_may_be_the_best_widen_an_interval():
    noise = np.random.default_rng(0).normal(0, 0.01, (6, 9))
    clear = sweep(16, 0.0, noise=noise)
    flat = sweep(16, 0.0, noise=noise, curvature=0.0)
    assert clear.contenders() == [int(np.argmin(clear.means()))]
    assert len(flat.contenders()) >= 6
    assert analysis_sweeps.level_after_choice([clear]) == 0.95
    assert analysis_sweeps.level_after_choice([clear, flat]) == pytest.approx(
        1 - 0.05 / len(flat.contenders())
    )
