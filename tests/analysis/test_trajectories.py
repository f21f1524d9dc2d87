"""Quantities along training: spread, level, exponents, gaps and their growth."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.sweeps import ALL, INF, parts, rows, runs_table

from hypertransfer.analysis import estimate, trajectories
from hypertransfer.analysis.estimate import AnalysisError, exact


def paths(values, steps, sizes=(16, 64, 256)):
    return trajectories.Trajectories(
        np.array(sizes, float), np.array(steps, float), np.asarray(values, float)
    )


def test_the_late_ratio_is_open_where_one_quantity_ends_before_the_last_share():
    """The last common step, 50, is not late in the training of which the other has step 100."""
    longer, shorter = paths(np.ones((3, 2, 3)), [0, 50, 100]), paths(np.ones((3, 2, 2)), [0, 50])
    seeds = np.arange(2)
    for over, under in ((longer, shorter), (shorter, longer)):
        assert not trajectories.late_ratio(over, under, seeds).is_bounded
        assert trajectories.late_ratio(over, under, seeds, tail=0.5).value == 1


def test_spread_compares_the_last_third_of_training():
    steps = np.arange(0, 91, 10)
    values = np.where(steps >= 60, np.array([3.0, 2.0, 5.0, 4.0])[:, None, None], 1e6)
    values = np.repeat(values, 4, axis=1)
    found = paths(values, steps, sizes=(16, 32, 64, 128))
    assert parts(trajectories.spread(found)) == pytest.approx((2.5, 2.5, 2.5))
    assert trajectories.spread(found, tail=1.0).value < 1.01


def test_the_spread_of_sizes_whose_seeds_differ_more_contains_one():
    values = np.array([[[1.0], [3.0], [2.0]], [[3.0], [1.0], [2.0]]])
    found = trajectories.spread(paths(values, [10], sizes=(16, 64)))
    assert (found.value, found.low) == (1.0, 1.0)
    assert found.high > 3
    assert found.observed == pytest.approx(1.0)
    values[1, 2] = 4.0
    assert trajectories.spread(paths(values, [10], sizes=(16, 64))).observed == pytest.approx(
        2 ** (1 / 3)
    )


@pytest.mark.parametrize("bad", [math.nan, -10.0])
def test_spread_is_open_where_the_quantity_is_no_positive_number(bad):
    values = np.ones((3, 2, 6))
    values[1, 0, 5] = bad
    found = trajectories.spread(paths(values, range(6)))
    assert (found.low, found.high) == (1, INF)


@given(b=st.floats(-2, 2), scale=st.floats(0.1, 10))
@settings(max_examples=40)
def test_the_exponent_over_size_is_that_of_a_power_law(b, scale):
    sizes = np.array([16, 64, 128, 512])
    steps = np.arange(0, 91, 10)
    late = scale * sizes[:, None, None] ** b * np.ones((1, 3, len(steps)))
    values = np.where(steps >= 60, late, 1e3)  # what is early does not count
    found = trajectories.size_exponent(paths(values, steps, sizes), ALL(3))
    assert found.value == pytest.approx(b, abs=1e-9)
    assert trajectories.size_exponent(paths(-values, steps, sizes), ALL(3)) == estimate.OPEN


@given(b=st.floats(-2, 1), relative=st.booleans())
@example(b=0.0, relative=False)
@settings(max_examples=40)
def test_the_exponent_of_the_convergence_over_sizes(b, relative):
    """A power law of the size with a limit; its amount differs from seed to seed."""
    sizes = np.array([16.0, 64, 256, 1024])
    steps = np.arange(0, 91, 10)
    law = np.append(trajectories.limit_shape(sizes, b), 0)
    gap = np.array([1.0, 1.2, 2])[:, None] * law[:, None, None] * np.ones(len(steps))
    values = 3.0 + gap * (3.0 if relative else 1)
    found = trajectories.gap_size_exponent(paths(values, steps, sizes), relative=relative)
    assert found.value == pytest.approx(b, abs=2e-3)


def test_the_shape_of_a_power_law_with_a_limit():
    sizes = np.array([4.0, 8, 16])
    found = trajectories.limit_shape(sizes, np.array([-1.0, 0, 1]))
    assert found[:, 0] == pytest.approx(-16 * (1 / sizes[:2] - 1 / 16))
    assert found[:, 1] == pytest.approx(np.log(sizes[:2] / 16))
    assert found[:, 2] == pytest.approx(sizes[:2] / 16 - 1)


def test_closing_wants_three_sizes_and_gaps():
    flat = np.ones((3, 2, 5))
    for given_paths in (paths(flat, range(5)), paths(flat[:2], range(5), (8, 16))):
        found = trajectories.gap_size_exponent(given_paths)
        assert (found.low, found.high, found.count) == (-INF, INF, 2)


def test_level_is_the_late_mean_and_largest_the_maximum():
    values = np.zeros((2, 2, 10))
    values[:, :, 6:] = [[[2.0], [4.0]], [[6.0], [8.0]]]
    values[0, 0, 0] = 99
    found = paths(values, np.arange(0, 91, 10), (8, 16))
    assert trajectories.late_level(found, ALL(2)) == exact(5.0)
    assert trajectories.late_level(found, np.array([1, 1])) == exact(6.0)
    assert trajectories.largest(found, ALL(2)) == exact((99.0 + 8.0) / 2)
    assert trajectories.largest(found, np.array([1])) == exact(8.0)
    broken = paths(np.full((2, 2, 3), math.nan), range(3), (8, 16))
    assert (
        trajectories.late_level(broken, ALL(2))
        == trajectories.largest(broken, ALL(2))
        == estimate.OPEN
    )


@given(beta=st.floats(-1, 2.5), relative=st.booleans(), window=st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_growth_recovers_the_exponent_of_power_law_gaps(beta, relative, window):
    steps = np.arange(0, 2001, 10.0)
    limit = 5 * np.maximum(steps, 1) ** -0.5 if relative else 5 + np.cos(steps / 300)
    size = np.array([0.4, -0.1])[:, None, None] * np.array([1, 1.1, 2])[:, None]
    gap = size * np.maximum(steps, 1) ** beta * (limit if relative else 1)
    values = np.concatenate([limit + gap, np.broadcast_to(limit, (1, 3, len(steps)))])
    t, found = trajectories.gaps(paths(values, steps), window, 0.1, relative)
    assert t[0] >= 200
    assert trajectories.gap_growth(t, found).value == pytest.approx(beta, abs=5e-3)


def test_the_growth_of_noise_is_open_and_of_a_drift_is_not():
    rng = np.random.default_rng(3)
    steps = np.arange(1, 301.0)
    noise = rng.normal(size=(4, 6, 300))
    flat = trajectories.gap_growth(*trajectories.gaps(paths(noise, steps, (8, 16, 32, 64))))
    assert (flat.low, flat.high) == (-INF, INF)
    drift = noise * 0.1 + np.array([3, 2, 1, 0])[:, None, None] * steps**0.7
    moving = trajectories.gap_growth(*trajectories.gaps(paths(drift, steps, (8, 16, 32, 64))))
    assert 0.69 < moving.low < moving.high < 0.71


def test_noise_does_not_flatten_the_exponent():
    rng = np.random.default_rng(4)
    steps = np.arange(1, 401.0)
    values = rng.normal(size=(2, 40, 400)) + np.array([0.002, 0])[:, None, None] * steps
    found = trajectories.gap_growth(*trajectories.gaps(paths(values, steps, (16, 64)), window=3))
    assert found.low < 1 < found.high
    assert found.low > 0.5


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_exponents_do_not_depend_on_the_sign_of_the_gaps(noise):
    x = np.linspace(1, 30, 30)
    values = x**0.7 + noise * np.random.default_rng(0).normal(size=(4, 30))
    found = trajectories.signed_exponent(x, values)
    assert found == trajectories.signed_exponent(x, -values)
    assert found.value == pytest.approx(0.7, abs=1e-4 + noise / 3)
    assert 0.7 - noise - 1e-3 < found.low <= found.value <= found.high < 0.7 + noise + 1e-3


def test_gaps_of_zero_or_too_few_points_leave_all_open():
    t = np.array([1.0, 2, 4, 8, 16])
    gap = np.array([[[1.0, 2, 4, 8, 16]] * 3])
    assert trajectories.gap_growth(t, gap).value == pytest.approx(1)
    assert trajectories.gap_growth(t[:3], gap[:, :, :3]).high == INF
    assert trajectories.gap_growth(t, 0 * gap).high == INF
    assert trajectories.gap_growth(t, gap * math.nan).high == INF
    short = trajectories.gaps(paths(np.ones((3, 2, 2)), [0, 10]), window=3)
    assert trajectories.gap_growth(*short).low == -INF


def history(frame, steps, **columns):
    out = frame[["key"]].merge(pd.DataFrame({"step": steps}), how="cross")
    return out.assign(**columns)


def test_trajectories_place_runs_by_size_and_seed_at_common_steps():
    frame = runs_table(rows(log2_lrs=[0])).sample(frac=1, random_state=2)
    series = history(frame, [0, 10, 20, 30]).merge(frame, on="key")
    series["train_loss"] = series["shape.width"] * 1000 + series["seed"] * 100 + series["step"]
    series.loc[series["step"] == 0, "train_loss"] = math.nan  # measured in no run
    late = (series["step"] == 30) & (series["seed"] == 2)
    found = trajectories.trajectories(frame, series[~late], "train_loss", "shape.width")
    assert found.steps.tolist() == [10, 20]
    assert found.values[1].tolist() == [[64010, 64020], [64110, 64120], [64210, 64220]]
    assert found.unusable == 0


def test_trajectories_of_diverged_runs_are_nan_and_do_not_shorten_the_others():
    frame = runs_table(rows(log2_lrs=[0]))
    frame.loc[0, "status"] = "diverged"
    series = history(frame, [0, 10, 20], trace=1.0)
    series = series[(series["key"] != "run0") | (series["step"] < 10)]
    found = trajectories.trajectories(frame, series, "trace", "shape.width")
    assert found.steps.tolist() == [0, 10, 20]
    assert np.isnan(found.values[0, 0]).all()
    assert found.unusable == 1


def test_a_value_missing_in_one_finished_run_is_seen():
    frame = runs_table(rows(log2_lrs=[0]))
    series = history(frame, [0, 10], trace=1.0)
    series.loc[0, "trace"] = math.nan
    assert trajectories.trajectories(frame, series, "trace", "shape.width").unusable == 1
    with pytest.raises(AnalysisError, match="have no trace"):
        trajectories.trajectories(frame, series[series["key"] != "run1"], "trace", "shape.width")


def test_late_gaps_are_averaged_for_each_size_and_seed():
    steps = np.arange(0, 91, 10)
    late = np.array([[1.0, -2.0], [3.0, 4.0], [0.0, 0.0]])[:, :, None] * np.ones(len(steps))
    values = np.where(steps >= 60, late, 7.0)
    found = trajectories.late_gaps(paths(values, steps))
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def gap_values(early, late, limit=2.0):
    """Two sizes with relative gaps to a third, for steps 0 to 12; no gap at step 0."""
    gaps = np.where(np.arange(13) <= 4, early, late) * (np.arange(13) > 0)
    return np.stack([limit * (1 + gaps), limit * (1 + gaps), np.full(13, limit)])[:, None, :]


@pytest.mark.parametrize(
    ("early", "late", "change"), [(0.1, 0.4, 0.3), (-0.1, -0.4, 0.3), (0.4, 0.1, -0.3), (0, 0, 0)]
)
def test_the_growth_of_relative_gaps(early, late, change):
    found = paths(np.repeat(gap_values(early, late), 3, axis=1), range(13))
    grown = trajectories.gap_change(found, found.seeds)
    assert parts(grown) == pytest.approx((change, change, change), abs=1e-12)


def test_gaps_of_opposite_sign_do_not_cancel():
    values = gap_values(0.1, 0.4)
    values[1] = 2 * values[2] - values[1]
    found = paths(np.repeat(values, 3, axis=1), range(13))
    assert trajectories.gap_change(found, found.seeds).value == pytest.approx(0.3)


def test_the_growth_of_gaps_needs_finite_values():
    values = np.repeat(gap_values(0.1, 0.2), 2, axis=1)
    values[0, 1, 12] = math.nan
    found = paths(values, range(13))
    assert not trajectories.gap_change(found, found.seeds).is_bounded


def test_means_over_any_part_of_training():
    values = np.arange(13.0)[None, None, :]
    found = paths(values, range(13), sizes=(1,))
    assert trajectories.late_values(found, 1 / 3).item() == 10  # steps 8 to 12
    assert trajectories.late_values(found, 0.25, 0.5).item() == 4.5  # steps 3 to 6
    assert math.isnan(trajectories.late_values(found, 0.01, 0.05).item())
