"""The optimum of one curve of losses: closed forms, laws, and bounds."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.simulations.synthetic import split
from tests.support.sweeps import INF, near, parabola, parts

from hypertransfer.analysis.estimate import AnalysisError, Estimate
from hypertransfer.analysis.optimum import max_stable_lr, optimum


@given(
    vertex=st.floats(-3.9, 3.9),
    curvature=st.floats(0.01, 1),
    steps=st.lists(st.floats(0.3, 2), min_size=8, max_size=20),
)
def test_the_bounds_hold_the_vertex_of_a_parabola_on_any_grid(vertex, curvature, steps):
    """Of the loss, or of its logarithm."""
    x = -6 + np.cumsum(steps)
    assume(x[0] < -4 and x[-1] > 4)
    for losses in (parabola(x, vertex, curvature), np.exp(parabola(x, vertex, curvature))):
        found = optimum(2**x, losses)
        assume(not found.edge)
        assert found.low - 0.02 <= vertex <= found.high + 0.02
        assert found.is_fitted


@pytest.mark.parametrize("ratio", [1 / 16, 1 / 4, 1, 4, 16])
@pytest.mark.parametrize("step", [0.5, 1.0])
def test_the_bounds_hold_the_optimum_of_skewed_curves_at_any_place_of_the_grid(ratio, step):
    for place in np.linspace(-step / 2, step / 2, 9):
        x = np.arange(-4, 4 + step / 2, step)
        for losses in (np.exp(split(ratio)(x - place)), 1 + split(ratio)(x - place)):
            found = optimum(2**x, losses)
            assert found.low - 0.01 <= place <= found.high + 0.01
            assert found.high - found.low < 0.5 + step / 2


def test_three_points_bound_the_optimum_up_to_a_third_of_a_step():
    found = optimum([1, 2, 4], np.exp([0.1, 0, 0.1]))
    assert parts(found.estimate) == pytest.approx((1, 2 / 3, 4 / 3))
    assert not found.is_fitted


def test_learning_rates_that_were_not_tried_have_no_part():
    x = np.arange(-4, 5.0)
    losses = np.exp(split(4)(x - 0.3))
    there = np.abs(x) < 3
    with_gaps = optimum(2**x, np.where(there, losses, math.nan))
    assert parts(with_gaps.estimate) == near(optimum(2 ** x[there], losses[there]).estimate)


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
@example(losses=[1.2, math.inf, 1.3, 1.2, 1.2, 1.2], scale=2.0**-8)  # flat on one side
@example(losses=[3.6, 3.6, 3.6, 3.7, math.inf, 3.6], scale=1024.0)
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
    """Except where a finite neighbour is the bound: below at half a step, above at a step."""
    assume(sum(loss == min(losses) for loss in losses) == 1)
    x = np.arange(len(losses), dtype=float)
    here, there = optimum(2**x, losses), optimum(2**-x, losses)
    if here.is_fitted:
        assert (there.low, there.high) == pytest.approx((-here.high, -here.low), abs=0.02)
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
    assert found.low - 0.02 <= vertex <= found.high + 0.02


@pytest.mark.parametrize(
    ("losses", "best", "low", "high", "edge"),
    [
        ([1, 2, 3], 0, -INF, 1, "low"),
        ([3, 2, 1], 2, 1.5, INF, "high"),
        ([1, INF, INF], 0, -INF, 1, "low"),
        ([2, 1, INF], 1, 0.5, 2, ""),
        ([INF, 1, 2], 1, 0, 2, ""),
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
    assert (dropped.low, dropped.is_fitted) != (0.5, False)
    assert dropped.log2_lr > 1


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
        ([1, 1], [1, 2], "occurs twice"),
        ([0, 1], [1, 2], "positive"),
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
    found = max_stable_lr([1, 2, 4, 8], losses, ceiling=5)
    assert found == Estimate(value, low, high)
