"""Optimum, shift, regret, spread and growth: closed forms, laws, and coverage of the intervals."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hypertransfer.analysis import curves as analysis_curves
from hypertransfer.analysis import estimate as analysis_estimate
from hypertransfer.analysis import optimum as analysis_optimum
from hypertransfer.analysis import sweeps as analysis_sweeps
from hypertransfer.analysis import trajectories
from hypertransfer.analysis.estimate import AnalysisError, Estimate, exact
from hypertransfer.analysis.optimum import optimum
from hypertransfer.analysis.sweeps import Sweep
from hypertransfer.storage import schemas

INF = math.inf
ALL = np.arange


def near(estimate):
    """The estimate up to rounding; compare with `parts`."""
    return pytest.approx(parts(estimate), nan_ok=True)


def parts(estimate):
    return (estimate.value, estimate.low, estimate.high)


def parabola(log2_lrs, vertex, curvature=1.0, floor=0.5):
    return floor + curvature / 2 * (np.asarray(log2_lrs, float) - vertex) ** 2


def sweep(size, vertex, log2_lrs=range(-6, 3), noise=None, **options):
    """A sweep whose seeds all have the same parabola, plus noise of shape (seed, lr)."""
    losses = parabola(log2_lrs, vertex, **options)
    losses = losses + (np.zeros((3, 1)) if noise is None else noise)
    return Sweep(float(size), 2.0 ** np.asarray(log2_lrs, float), losses)


def table(rows):
    """A runs table from (width, lr, seed, loss); diverged where the loss is inf."""
    frame = pd.DataFrame(rows, columns=["shape.width", "lr", "seed", "final_loss"])
    frame["status"] = np.where(np.isinf(frame["final_loss"]), "diverged", "finished")
    frame["key"] = [f"run{i}" for i in range(len(frame))]
    return frame


# One curve ---------------------------------------------------------------------------------


@given(
    vertex=st.floats(-3.9, 3.9),
    curvature=st.floats(0.01, 100),
    steps=st.lists(st.floats(0.3, 2), min_size=8, max_size=20),
)
def test_an_exact_parabola_gives_its_vertex_on_any_grid(vertex, curvature, steps):
    x = -6 + np.cumsum(steps)
    assume(x[0] < -4 and x[-1] > 4)
    found = optimum(2**x, parabola(x, vertex, curvature))
    assume(not found.edge)
    assert found.log2_lr == pytest.approx(vertex, abs=1e-6)
    assert found.low == found.high == found.log2_lr
    assert found.loss == pytest.approx(0.5, abs=1e-6)
    assert found.curvature == pytest.approx(curvature, rel=1e-5)


def test_halfwidth_is_where_the_loss_has_risen_by_the_excess():
    found = optimum(2.0 ** np.arange(5), parabola(range(5), 2.2, curvature=3.0))
    assert parabola(found.log2_lr + found.halfwidth(0.1), 2.2, 3.0) == pytest.approx(0.6)


curves = st.lists(
    st.one_of(st.integers(0, 50).map(lambda i: 1 + i / 10), st.just(INF)), min_size=1, max_size=9
)


@given(losses=curves, octaves=st.integers(-10, 10))
def test_shifting_all_learning_rates_shifts_the_optimum(losses, octaves):
    x = np.arange(len(losses), dtype=float)
    here, there = optimum(2**x, losses), optimum(2 ** (x + octaves), losses)
    for name in ("log2_lr", "best", "low", "high"):
        assert getattr(there, name) == pytest.approx(getattr(here, name) + octaves, nan_ok=True)
    assert (there.edge, there.loss) == (here.edge, pytest.approx(here.loss))


@given(losses=curves, scale=st.sampled_from([2.0**-8, 0.25, 4.0, 1024.0]))
def test_scaling_the_loss_leaves_the_optimum(losses, scale):
    x = 2.0 ** np.arange(len(losses))
    here, there = optimum(x, losses), optimum(x, scale * np.array(losses))
    assert parts(there.estimate) == near(here.estimate)
    assert there.edge == here.edge


@given(losses=curves, order=st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(losses, order):
    pairs = list(zip(2.0 ** np.arange(len(losses)), losses, strict=True))
    here = optimum(*zip(*pairs, strict=True))
    order.shuffle(pairs)
    there = optimum(*zip(*pairs, strict=True))
    assert parts(there.estimate) == near(here.estimate)
    assert (there.edge, there.loss) == (here.edge, here.loss)


@given(losses=curves)
def test_a_mirrored_curve_has_the_mirrored_bounds(losses):
    assume(sum(loss == min(losses) for loss in losses) == 1)
    x = np.arange(len(losses), dtype=float)
    here, there = optimum(2**x, losses), optimum(2**-x, losses)
    assert (there.low, there.high) == pytest.approx((-here.high, -here.low))
    swap = {"low": "high", "high": "low"}
    assert there.edge == swap.get(here.edge, here.edge)


@given(losses=curves)
def test_the_bounds_hold_the_optimum_and_reach_no_further_than_the_neighbours(losses):
    found = optimum(2.0 ** np.arange(len(losses)), losses)
    assume(found.edge != "none")
    assert found.low <= found.log2_lr <= found.high
    assert not found.low < found.best - 1 or found.low == -INF
    assert not found.high > found.best + 1 or found.high == INF
    assert (found.low == -INF) == (found.edge in ("low", "both"))
    assert (found.high == INF) == (found.edge in ("high", "both"))


@given(vertex=st.floats(-9, -2), tried=st.integers(-3, 0))
def test_an_edge_bounds_the_vertex_that_a_wider_grid_would_have_shown(vertex, tried):
    grid = np.arange(tried, 5)
    found = optimum(2.0**grid, parabola(grid, vertex))
    if found.edge == "low":
        assert vertex <= found.high
    else:
        assert found.log2_lr == pytest.approx(vertex)


@pytest.mark.parametrize(
    ("losses", "best", "low", "high", "edge"),
    [
        ([1, 2, 3], 0, -INF, 0.5, "low"),
        ([3, 2, 1], 2, 1.5, INF, "high"),
        ([1, INF, INF], 0, -INF, 1, "low"),
        ([2, 1, INF], 1, 0.5, 2, ""),
        ([INF, 1, 2], 1, 0, 1.5, ""),
        ([INF, 1, INF], 1, 0, 2, ""),
        ([2, 1], 1, 0.5, INF, "high"),
        ([2], 0, -INF, INF, "both"),
        ([2, 1, 1, 1, 2], 2, 1, 3, ""),
    ],
)
def test_without_a_parabola_the_best_point_stands_with_honest_bounds(losses, best, low, high, edge):
    found = optimum(2.0 ** np.arange(len(losses)), losses)
    assert (found.log2_lr, found.low, found.high, found.edge) == (best, low, high, edge)


def test_a_diverged_neighbour_is_not_dropped_for_the_next_finite_point():
    lrs, losses = 2.0 ** np.arange(5), [3, 1, INF, 1.2, 5]
    assert (optimum(lrs, losses).low, optimum(lrs, losses).high) == (0.5, 2)
    kept = [i for i, loss in enumerate(losses) if loss < INF]
    dropped = optimum(lrs[kept], np.array(losses)[kept])
    assert dropped.low == dropped.high > 1


def test_two_equal_points_have_the_optimum_between_them():
    for losses in ([3, 1, 1, 3], [1, 1, 3], [3, 1, 1]):
        found = optimum(2.0 ** np.arange(len(losses)), losses)
        assert found.edge == ""
        assert found.log2_lr == losses.index(1) + 0.5


def test_when_everything_diverged_there_is_no_optimum():
    found = optimum([0.1, 0.2, 0.4], [INF] * 3)
    assert found.edge == "none"
    assert math.isnan(found.log2_lr)
    assert (found.loss, found.low, found.high) == (INF, -INF, INF)


@pytest.mark.parametrize(
    ("lrs", "losses", "words"),
    [
        ([], [], "at least one"),
        ([1, 2], [1], "as many losses"),
        ([1, 1], [1, 2], "stands twice"),
        ([0, 1], [1, 2], "positive"),
        ([1, 2], [1, math.nan], "finite number, or"),
        ([1, 2], [1, -INF], "finite number, or"),
    ],
)
def test_a_curve_that_makes_no_sense_is_refused(lrs, losses, words):
    with pytest.raises(AnalysisError, match=words):
        optimum(lrs, losses)


@pytest.mark.parametrize(
    ("losses", "value", "low", "high"),
    [
        ([1, 1, INF, INF], 1, 1, 2),
        ([1, INF, 1, INF], 0, 0, 1),
        ([1, 1, 1, 1], 3, 3, INF),
        ([INF, 1, 1, 1], 0, -INF, 0),
        ([3, 1, 9, INF], 1, 1, 2),
        ([9, 1, 3, INF], 2, 2, 3),
    ],
)
def test_max_stable_lr_lies_below_the_first_unstable_run(losses, value, low, high):
    found = analysis_optimum.max_stable_lr([1, 2, 4, 8], losses, ceiling=5)
    assert found == Estimate(value, low, high)


# Estimates ---------------------------------------------------------------------------------


def test_open_bounds_survive_sums_on_the_right_side():
    edge, known = Estimate(-5, -INF, -4.5), exact(1.0)
    assert analysis_estimate.linear([-1, 1], [known, edge]) == Estimate(-6, -INF, -5.5)
    assert analysis_estimate.linear([-1, 1], [edge, known]) == Estimate(6, 5.5, INF)
    assert analysis_estimate.linear([-1, 0, 1], [known, edge, known]) == exact(0.0)


def test_magnitude_of_bounds_with_two_signs_starts_at_zero():
    assert Estimate(-1, -2, 3).magnitude() == Estimate(1, 0, 3)
    assert Estimate(-2, -INF, -1.5).magnitude() == Estimate(2, 1.5, INF)


# Several sizes -----------------------------------------------------------------------------


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


def test_regret_needs_the_same_learning_rate_at_both_sizes():
    with pytest.raises(AnalysisError, match="same learning rates"):
        analysis_sweeps.regret([sweep(16, 0.2), sweep(256, -3, np.arange(-6, 3) + 0.5)], ALL(3))


def test_seed_deviation_is_the_spread_of_the_loss_at_the_best_learning_rate():
    noise = np.array([[-0.1], [0.0], [0.1]])
    sigma = analysis_sweeps.seed_deviation(sweep(16, 0.2, noise=noise))
    assert sigma == pytest.approx(0.1)
    assert analysis_estimate.in_units(exact(0.3), sigma).value == pytest.approx(3)
    assert math.isnan(analysis_sweeps.seed_deviation(sweep(16, 0.2, noise=np.zeros((1, 1)))))
    assert analysis_estimate.in_units(exact(0.3), math.nan).high == INF
    assert analysis_estimate.in_units(exact(0.0), 0.0) == exact(0.0)
    assert analysis_estimate.in_units(exact(0.3), 0.0) == exact(INF)


# Trajectories ------------------------------------------------------------------------------


def paths(values, steps, sizes=(16, 64, 256)):
    return trajectories.Trajectories(
        np.array(sizes, float), np.array(steps, float), np.asarray(values, float)
    )


def test_spread_compares_the_last_third_of_training():
    steps = np.arange(0, 91, 10)
    values = np.where(steps >= 60, np.array([3.0, 2.0, 5.0, 4.0])[:, None, None], 1e6)
    values = np.repeat(values, 4, axis=1)
    found = paths(values, steps, sizes=(16, 32, 64, 128))
    assert trajectories.spread(found, ALL(4)) == exact(2.5)
    assert trajectories.spread(found, ALL(4), tail=1.0).value < 1.01


def test_spread_averages_over_the_chosen_seeds_first():
    values = np.array([[[1.0], [3.0]], [[3.0], [1.0]]])
    both = paths(values, [10], sizes=(16, 64))
    assert trajectories.spread(both, ALL(2)) == exact(1.0)
    assert trajectories.spread(both, np.array([0, 0])) == exact(3.0)


@pytest.mark.parametrize("bad", [math.nan, -10.0])
def test_spread_is_open_where_the_quantity_is_no_positive_number(bad):
    values = np.ones((3, 2, 6))
    values[1, 0, 5] = bad
    found = trajectories.spread(paths(values, range(6)), ALL(2))
    assert (found.low, found.high) == (1, INF)


@given(b=st.floats(-2, 2), scale=st.floats(0.1, 10))
@settings(max_examples=40)
def test_the_exponent_over_size_is_that_of_a_power_law(b, scale):
    sizes = np.array([16, 64, 128, 512])
    steps = np.arange(0, 91, 10)
    late = scale * sizes[:, None, None] ** b * np.ones((1, 3, len(steps)))
    values = np.where(steps >= 60, late, 1e3)  # what is early does not count
    found = trajectories.exponent(paths(values, steps, sizes), ALL(3))
    assert found.value == pytest.approx(b, abs=1e-9)
    assert trajectories.exponent(paths(-values, steps, sizes), ALL(3)) == analysis_estimate.OPEN


@given(b=st.floats(-2, -0.2), relative=st.booleans())
@settings(max_examples=40)
def test_the_exponent_of_closing_gaps(b, relative):
    """Gaps to the largest size that are a power law; their sign may differ from seed to seed."""
    sizes = np.array([16.0, 64, 256, 1024])
    steps = np.arange(0, 91, 10)
    gap = np.array([1.0, -1, 2])[:, None] * sizes[:, None, None] ** b * np.ones(len(steps))
    gap[-1] = 0
    limit = 3.0
    values = limit + gap * (limit if relative else 1)
    found = trajectories.closing(paths(values, steps, sizes), ALL(3), relative=relative)
    assert found.value == pytest.approx(b, abs=1e-6)


def test_closing_wants_three_sizes_and_gaps():
    flat = np.ones((3, 2, 5))
    assert trajectories.closing(paths(flat, range(5)), ALL(2)) == analysis_estimate.OPEN
    assert (
        trajectories.closing(paths(flat[:2], range(5), (8, 16)), ALL(2)) == analysis_estimate.OPEN
    )


def test_level_is_the_late_mean_and_largest_the_maximum():
    values = np.zeros((2, 2, 10))
    values[:, :, 6:] = [[[2.0], [4.0]], [[6.0], [8.0]]]
    values[0, 0, 0] = 99
    found = paths(values, np.arange(0, 91, 10), (8, 16))
    assert trajectories.level(found, ALL(2)) == exact(5.0)
    assert trajectories.level(found, np.array([1, 1])) == exact(6.0)
    assert trajectories.largest(found, ALL(2)) == exact(99.0)
    assert trajectories.largest(found, np.array([1])) == exact(8.0)
    broken = paths(np.full((2, 2, 3), math.nan), range(3), (8, 16))
    assert (
        trajectories.level(broken, ALL(2))
        == trajectories.largest(broken, ALL(2))
        == analysis_estimate.OPEN
    )


@given(beta=st.floats(-1, 2.5), relative=st.booleans(), window=st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_growth_recovers_the_exponent_of_power_law_gaps(beta, relative, window):
    steps = np.arange(0, 2001, 10.0)
    limit = 5 * np.maximum(steps, 1) ** -0.5 if relative else 5 + np.cos(steps / 300)
    size = np.array([0.4, 0.1])[:, None, None] * np.array([1, -1, 2])[:, None]
    gap = size * np.maximum(steps, 1) ** beta * (limit if relative else 1)
    values = np.concatenate([limit + gap, np.broadcast_to(limit, (1, 3, len(steps)))])
    t, found = trajectories.gaps(paths(values, steps), window, 0.1, relative)
    assert t[0] >= 200
    assert trajectories.growth(t, found, ALL(3)).value == pytest.approx(beta, abs=2e-3)


def test_growth_of_noise_without_drift_is_about_zero_and_of_a_drift_is_not():
    rng = np.random.default_rng(3)
    steps = np.arange(1, 301.0)
    noise = rng.normal(size=(4, 6, 300))
    flat = trajectories.gaps(paths(noise, steps, (8, 16, 32, 64)))
    assert abs(trajectories.growth(*flat, ALL(6)).value) < 0.12
    drift = noise * 0.1 + np.array([3, 2, 1, 0])[:, None, None] * steps**0.7
    assert (
        trajectories.growth(*trajectories.gaps(paths(drift, steps, (8, 16, 32, 64))), ALL(6)).value
        > 0.6
    )


def test_systematic_gaps_shed_the_noise_that_flattens_the_exponent():
    rng = np.random.default_rng(4)
    steps = np.arange(1, 401.0)
    values = rng.normal(size=(2, 40, 400)) + np.array([0.002, 0])[:, None, None] * steps
    t, gap = trajectories.gaps(paths(values, steps, (16, 64)), window=3)
    plain, systematic = (trajectories.growth(t, gap, ALL(40), s).value for s in (False, True))
    assert plain < 0.3 < 0.6 < systematic < 1.4


def test_gaps_of_zero_are_left_out_and_too_few_points_leave_all_open():
    t = np.array([1.0, 2, 4, 8, 16])
    gap = np.array([[[1.0, 0, 4, 8, 16]]])
    assert trajectories.growth(t, gap, ALL(1)).value == pytest.approx(1)
    assert trajectories.growth(t[:3], gap[:, :, :3], ALL(1)).high == INF
    assert trajectories.growth(t, 0 * gap, ALL(1)).high == INF
    assert trajectories.growth(t, gap * math.nan, ALL(1)).high == INF
    short = trajectories.gaps(paths(np.ones((3, 2, 2)), [0, 10]), window=3)
    assert trajectories.growth(*short, ALL(2)).low == -INF


# Tables ------------------------------------------------------------------------------------


def rows(widths=(16, 64), log2_lrs=(-2, -1, 0), seeds=(0, 1, 2)):
    return [
        (w, 2.0**x, s, 1 + (x + 1) ** 2 + w / 1000 + s / 10)
        for w in widths
        for x in log2_lrs
        for s in seeds
    ]


def test_sweeps_reads_a_shuffled_table_and_gives_diverged_runs_infinite_loss():
    frame = table(rows())
    frame.loc[frame.index[0], ["final_loss", "status"]] = [math.nan, "diverged"]
    small, large = analysis_sweeps.sweeps(frame.sample(frac=1, random_state=1), "shape.width")
    assert (small.size, large.size) == (16, 64)
    assert small.lrs.tolist() == [0.25, 0.5, 1]
    assert small.losses[0, 0] == INF
    assert large.losses[:, 1] == pytest.approx([1.064, 1.164, 1.264])


def test_sweeps_may_have_other_learning_rates_at_each_size():
    frame = table(rows(widths=[16]) + rows(widths=[64], log2_lrs=[-5, -4]))
    assert [len(s.lrs) for s in analysis_sweeps.sweeps(frame, "shape.width")] == [3, 2]


def test_what_is_wrong_with_a_table_is_said():
    frame = table(rows())
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
    assert set(schemas.SUMMARY.names) <= set(analysis_sweeps.RESULTS)


def test_only_seeds_that_every_size_has_are_used():
    frame = table(rows(widths=[16], seeds=range(5)) + rows(widths=[64], seeds=range(3)))
    common, left_out = analysis_sweeps.common_seeds(frame, "shape.width")
    assert (sorted(set(common["seed"])), left_out) == ([0, 1, 2], 2)
    apart = table(rows(widths=[16], seeds=[0]) + rows(widths=[64], seeds=[1]))
    with pytest.raises(AnalysisError, match="same seeds"):
        analysis_sweeps.common_seeds(apart, "shape.width")


def history(frame, steps, **columns):
    out = frame[["key"]].merge(pd.DataFrame({"step": steps}), how="cross")
    return out.assign(**columns)


def test_trajectories_place_runs_by_size_and_seed_at_common_steps():
    frame = table(rows(log2_lrs=[0])).sample(frac=1, random_state=2)
    series = history(frame, [0, 10, 20, 30]).merge(frame, on="key")
    series["train_loss"] = series["shape.width"] * 1000 + series["seed"] * 100 + series["step"]
    series.loc[series["step"] == 0, "train_loss"] = math.nan  # measured in no run
    late = (series["step"] == 30) & (series["seed"] == 2)
    found = trajectories.trajectories(frame, series[~late], "train_loss", "shape.width")
    assert found.steps.tolist() == [10, 20]
    assert found.values[1].tolist() == [[64010, 64020], [64110, 64120], [64210, 64220]]
    assert found.unusable == 0


def test_trajectories_of_diverged_runs_are_nan_and_do_not_shorten_the_others():
    frame = table(rows(log2_lrs=[0]))
    frame.loc[0, "status"] = "diverged"
    series = history(frame, [0, 10, 20], trace=1.0)
    series = series[(series["key"] != "run0") | (series["step"] < 10)]
    found = trajectories.trajectories(frame, series, "trace", "shape.width")
    assert found.steps.tolist() == [0, 10, 20]
    assert np.isnan(found.values[0, 0]).all()
    assert found.unusable == 1


def test_a_value_missing_in_one_finished_run_is_seen():
    frame = table(rows(log2_lrs=[0]))
    series = history(frame, [0, 10], trace=1.0)
    series.loc[0, "trace"] = math.nan
    assert trajectories.trajectories(frame, series, "trace", "shape.width").unusable == 1
    with pytest.raises(AnalysisError, match="have no trace"):
        trajectories.trajectories(frame, series[series["key"] != "run1"], "trace", "shape.width")


# Intervals ---------------------------------------------------------------------------------


def of_mean(values):
    return lambda seeds: exact(float(values[seeds].mean()))


def test_the_interval_of_few_seeds_is_their_range_and_of_one_is_itself():
    values = np.array([1.0, 5.0, 2.0])
    assert parts(analysis_estimate.bootstrap(of_mean(values), 3)) == near(Estimate(8 / 3, 1, 5))
    assert analysis_estimate.bootstrap(of_mean(values), 1) == exact(1.0)


def test_the_same_generator_seed_gives_the_same_interval():
    values = np.random.default_rng(0).normal(size=9)
    first, again, other = (
        analysis_estimate.bootstrap(of_mean(values), 9, generator_seed=s, draws=200)
        for s in (1, 1, 2)
    )
    assert first == again != other


def test_the_interval_of_many_seeds_is_students():
    values = np.random.default_rng(5).normal(size=40)
    found = analysis_estimate.bootstrap(of_mean(values), 40, draws=20_000)
    half = 2.0227 * values.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


def test_an_open_end_in_enough_resamples_opens_the_interval():
    def statistic(seeds):
        return Estimate(0.0, 0.0, INF if 0 in seeds else 1.0)

    assert analysis_estimate.bootstrap(statistic, 4).high == INF
    whole = analysis_estimate.bootstrap(lambda seeds: exact(float(len(set(seeds)) == 8)), 8)
    assert (whole.low, whole.high) == (0, 1)  # all seeds once: rare, and yet the estimate
    rare = analysis_estimate.bootstrap(lambda seeds: exact(INF if len(set(seeds)) == 1 else 0.0), 7)
    assert rare.high == 0


@pytest.mark.parametrize(("seeds", "least", "most"), [(3, 0.65, 0.85), (5, 0.87, 0.98)])
def test_intervals_of_a_known_drift_cover_it_as_often_as_stated(seeds, least, most):
    rng = np.random.default_rng(7)
    drift, covered, trials = -0.8, 0, 200
    x = np.arange(-4, 4)
    for _ in range(trials):
        # Seeds move a whole curve; runs have noise of their own.
        wobble = rng.normal(0, 0.1, (2, seeds, 1))
        noise = rng.normal(0, 0.02, (2, seeds, len(x)))
        sweeps = [
            Sweep(n, 2.0**x, parabola(x - w, v) + e)
            for n, v, w, e in zip((16.0, 64.0), (0.3, 0.3 + drift), wobble, noise, strict=True)
        ]
        found = analysis_estimate.bootstrap(
            lambda s, sw=sweeps: analysis_sweeps.shift(analysis_sweeps.optima(sw, s)), seeds
        )
        covered += found.low <= drift <= found.high
    assert least <= covered / trials <= most


@given(
    floor=st.floats(0, 3), scale=st.floats(0.5, 20), power=st.floats(0.1, 2),
    count=st.integers(4, 8),
)  # fmt: skip
def test_a_power_law_with_a_floor_is_found_again(floor, scale, power, count):
    x = 100.0 * 2 ** np.arange(count)
    y = floor + scale * x**-power
    found = analysis_curves.power_law_with_floor(x, y)
    fitted = found[0] + found[1] * x ** -found[2]
    assert fitted == pytest.approx(y, abs=2e-3 * (y[0] - y[-1]))
    assert found[0] >= 0
    assert found[1] >= 0
