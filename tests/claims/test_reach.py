"""The values that measures can have, and the bars that they can meet and violate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from tests.support.claims import make_runs

from hypertransfer.analysis import searches
from hypertransfer.claims import reach
from hypertransfer.claims.families import measures
from hypertransfer.claims.reach import CONTRAST, LEVEL, MOVES, STAYS, Range, Reach
from hypertransfer.runs.table_values import name_of

WIDTH = "shape.width"


def rows(ladders: dict[int, Sequence[float]], **more: object) -> list[dict]:
    """A row for each size and log2 of a learning rate."""
    return [{WIDTH: size, "lr": 2.0**x, **more} for size, xs in ladders.items() for x in xs]


def reached(name: str, ladders: dict[int, Sequence[float]], **options: object) -> Reach:
    measure = measures()[name]
    return measure.values.reach(rows(ladders), {**measure.options, **options})


HALVES = {8: (-0.25, 0.25, 0.75, 1.25), 128: (-0.25, 0.25, 0.75, 1.25)}


def test_a_shift_on_four_half_octaves_is_at_most_one_octave():
    """The optimum lies at most half a step from an inner value: from 0 to 1 here."""
    assert reached("optimum_shift", HALVES) == (0, 1, 0)
    assert reached("optimum_shift", HALVES, signed=True) == (-1, 1, 0)


def test_sizes_with_other_learning_rates_bound_a_shift_from_below():
    moved = {8: range(-8, -3), 256: range(-10, -7)}
    low, high, _ = reached("optimum_shift", moved, signed=True)
    assert (low, high) == (-9.5 + 4.5, -8.5 + 7.5)
    assert reached("optimum_shift", moved) == (1, 5, 0)


@pytest.mark.parametrize("vertices", [(-9, 9), (9, -9), (0.2, -0.4)])
def test_no_measured_shift_leaves_its_reach(vertices):
    """The ends of the intervals of real sweeps, also of those with an optimum on an edge."""
    runs = make_runs(vertices, widths=(16, 256), log2_lrs=range(-4, 4), noise=0.3)
    runs["status"], runs["final_loss"] = "finished", runs["final_loss"].replace(math.inf, 9)
    measure = measures()["optimum_shift"]
    estimate = measure.function({"runs": runs}, 0.95, signed=True)
    found = measure.values.reach(runs.to_dict("records"), {**measure.options, "signed": True})
    assert estimate.high >= found.least_high
    assert estimate.low <= found.greatest_low


def test_a_claim_with_an_open_end_is_refused_for_the_end_that_its_bar_needs():
    """With two learning rates the upper end of a regret is open, and the lower end is not."""
    found = reached("transfer_regret", {8: (-1, 0, 1), 128: (-1, 0)})
    assert found.least_high == math.inf
    upper = "it cannot fail: the upper end of the interval is open"
    assert reach.fault(found, {"min": 0.02}, "loss") == upper
    assert "it cannot hold" in reach.fault(found, {"max": 0.02}, "loss")
    below = Reach(greatest_low=-math.inf)
    lower = "it cannot fail: the lower end of the interval is open"
    assert reach.fault(below, {"max": 1}, "octaves") == lower
    assert "it cannot hold" in reach.fault(below, {"min": 1}, "octaves")


def test_a_gain_needs_a_learning_rate_that_both_sizes_tried():
    assert reached("transfer_gain", {8: (-1,), 128: (0,)}) == reach.OPEN
    assert reached("transfer_gain", {8: (-1, 0), 128: (0,)}) == Reach()
    assert reach.fault(reach.OPEN, {"min": 0}, "loss")


def test_the_slope_of_two_sizes_is_the_shift_over_the_doublings():
    shift, slope = (reached(m, HALVES, signed=True) for m in ("optimum_shift", "optimum_slope"))
    assert slope.greatest_low == pytest.approx(shift.greatest_low / 4)
    assert slope.least_high == pytest.approx(shift.least_high / 4)


def test_a_stable_value_is_known_to_a_step():
    octaves = {8: range(5), 16: range(5)}
    assert reached("stable_lr_shift", octaves) == (1, 4, 1)
    assert reached("stable_lr_shift", octaves, signed=True) == (-4, 4, 2)
    halves = {8: (0, 0.5, 1), 16: (0, 0.5, 1)}
    assert reached("stable_lr_shift", halves).least_high == pytest.approx(0.5)


def test_one_learning_rate_shows_nothing():
    for name in ("optimum_shift", "stable_lr_shift"):
        found = reached(name, {8: [0], 16: [0]})
        assert reach.fault(found, {"max": 1}, "octaves").startswith("it can neither hold nor fail")
        assert reach.fault(found, {"min": 1}, "octaves").startswith("it can neither hold nor fail")


def test_arms_are_told_apart_in_a_contrast():
    both = [*rows(HALVES, arm="a"), *rows({8: range(5), 128: range(5)}, arm="b")]
    measure = measures()["shift_contrast"]
    options = {**measure.options, "of": "a", "over": "b", "column": "arm"}
    assert measure.values.reach(both, options) == (-1 - 3, 1 + 3, 0)


def test_a_number_of_steps_is_a_share_of_the_most():
    steps = [{"optimizer": "muon", "steps": n} for n in (100, 200, 400)]
    steps += [{"optimizer": "adamw", "steps": 400}]
    measure = measures()["horizon_ratio"]
    options = {**measure.options, "of": "muon", "over": "adamw"}
    assert measure.values.reach(steps, options) == (0.25, 1, 0)


@pytest.mark.parametrize(("of", "over"), [(4.0, 0.1), (4, 2.0), (True, False)])
def test_arms_that_are_no_texts_are_told_apart_by_the_names_of_measures(of, over):
    names = {"of": name_of(of), "over": name_of(over)}
    both = [*rows(HALVES, arm=of), *rows({8: range(5), 128: range(5)}, arm=over)]
    measure = measures()["shift_contrast"]
    options = {**measure.options, **names, "column": "arm"}
    assert measure.values.reach(both, options) == (-1 - 3, 1 + 3, 0)
    steps = [{"arm": of, "steps": n} for n in (100, 400)] + [{"arm": over, "steps": 400}]
    measure = measures()["horizon_ratio"]
    options = {**measure.options, **names, "column": "arm"}
    assert measure.values.reach(steps, options) == (0.25, 1, 0)


PLACES = (-0.5, 0, 0.5, 1, 1.5)


def lines(**places: Sequence[float | None]) -> list[dict]:
    return [{"target": name, "place": x} for name, xs in places.items() for x in xs]


def place_reach(**places: Sequence[float | None]) -> Reach:
    measure = measures()["minimum_shift"]
    return measure.values.reach(lines(**places), measure.options)


def test_places_are_known_to_half_a_step():
    found = place_reach(same=PLACES, wider=(*PLACES, None))
    assert found == (0.5, 1.5, 0.5)
    assert reach.fault(found, {"max": 0.5}, "").startswith("it cannot hold")
    assert reach.fault(found, {"max": 0.25}, "").startswith("it cannot hold")
    assert reach.fault(found, {"max": 0.75}, "") == ""
    assert place_reach(same=(0, 1, 2), wider=(2, 3, 4)) == (3, 3, 2)
    assert place_reach(same=(0, 1), wider=(0, 1)).least_high == math.inf, "all places are open"


@pytest.mark.parametrize("least", [(0.5, 0.5), (0, 1), (-0.5, 1.5), (1.5, 0), (1, 0.5)])
def test_no_measured_range_of_places_leaves_its_reach(least):
    groups = [
        pd.DataFrame([[abs(x - place) for x in PLACES]] * 3, columns=PLACES) for place in least
    ]
    estimate = searches.minimum_shift(groups, np.arange(3))
    found = place_reach(same=PLACES, wider=PLACES)
    assert estimate.high >= found.least_high
    assert estimate.low <= found.greatest_low
    assert estimate.high - estimate.low >= found.width


def test_without_rows_the_measure_alone_bounds_the_value():
    assert measures()["optimum_shift"].values.reach(None, {}) == (-math.inf, math.inf, 0)
    assert measures()["tasks_improved"].values.reach(None, {}) == (0, 100, 0)
    level = measures()["late_level"].values
    assert level.reach([{}], {"quantity": "party_accuracy"}) == (0, 1, 0)
    assert level.reach([{}], {"quantity": "edge"}) == (-math.inf, math.inf, 0)


@pytest.mark.parametrize(
    ("found", "bar", "words"),
    [
        (Reach(0, 2), {"max": 1}, ""),
        (Reach(0, 2), {"min": 1}, ""),
        (Reach(-2, 2), {"min": -1, "max": 1}, ""),
        (Reach(0, 1), {"max": 1}, "it cannot fail: the measurable values are 0 to 1 octaves"),
        (Reach(1, 5), {"min": 1}, "it cannot fail"),
        (Reach(0, 1), {"min": -1, "max": 2}, "it cannot fail"),
        (Reach(1, 4, 1), {"max": 1}, "it cannot hold: the least measurable value is 1 octaves"),
        (Reach(0, 1), {"min": 1}, "it cannot hold: the greatest measurable value is 1 octaves"),
        (Reach(3, 5), {"min": 0, "max": 1}, "it cannot hold"),
        (Reach(-4, 4, 2), {"min": -0.5, "max": 0.5}, "it cannot hold: intervals are at least 2"),
    ],
)
def test_a_bar_can_be_met_and_violated(found, bar, words):
    text = reach.fault(found, bar, "octaves")
    assert text.startswith(words) if words else text == ""


@pytest.mark.parametrize(
    ("values", "bar", "wanted"),
    [
        (Range(unmoved=0), {"max": 1}, STAYS),
        (Range(unmoved=0), {"min": -0.2, "max": 0.2}, STAYS),
        (Range(least=1, unmoved=1), {"max": 1.3}, STAYS),
        (Range(least=1, unmoved=1), {"min": 1.5}, MOVES),
        (Range(unmoved=0), {"min": 1}, MOVES),
        (Range(unmoved=0), {"max": -1}, MOVES),
        (Range(unmoved=0), {"min": 0}, MOVES),
        (Range(unmoved=0), {"min": 0.3, "max": 0.7}, MOVES),
        (Range(contrast=True), {"min": 0}, CONTRAST),
        (Range(), {"max": 1.8}, LEVEL),
    ],
)
def test_the_form_of_a_test_follows_from_measure_and_bar(values, bar, wanted):
    assert reach.form(values, bar) == wanted


@pytest.mark.parametrize(
    ("small", "large", "expected"),
    [
        (2, 5, reach.OPEN),
        (5, 2, reach.Reach(least_high=math.inf)),
        (3, 3, reach.Reach()),
    ],
)
def test_a_regret_needs_three_values_of_each_end(small, large, expected):
    counts = {8: small, 16: 1, 32: large}
    rows = [{"width": w, "lr": 2.0**k} for w, count in counts.items() for k in range(count)]
    assert reach.regret(rows, {"size": "width"}) == expected
