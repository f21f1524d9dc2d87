"""Measures along training on tables whose answers are known."""

import pandas as pd
import pytest
from tests.support.claims import INF, make_claim, make_paths, measured
from tests.support.sweeps import parts

from hypertransfer.claims import verdicts
from hypertransfer.claims.measure import ClaimError


def test_sharpness_spread_over_the_last_third():
    tables = make_paths("scaled_sharpness", lambda w, s, t: (1 + w / 256) * (1 + 0.01 * s))
    found = measured("sharpness_spread", tables)
    assert found.estimate.value == pytest.approx(2 / (1 + 1 / 16))
    assert found.estimate.low == pytest.approx(found.estimate.high)
    claim = make_claim(measure="sharpness_spread", where={}, bar={"max": 1.3})
    assert verdicts.check(claim, tables).verdict == "fails"


def test_the_tail_of_the_spread_is_an_option():
    tables = make_paths("trace", lambda w, s, t: w if t < 50 else 1.0)
    assert measured("sharpness_spread", tables, quantity="trace").estimate.value == 1
    assert measured("sharpness_spread", tables, quantity="trace", tail=0.9).estimate.value > 2


def test_the_late_ratio_of_quantities_that_were_measured_at_different_steps():
    tables = make_paths("scaled_sharpness", lambda w, s, t: w * (s + 1) if t > 50 else 1.0)
    loss = make_paths(
        "train_loss", lambda w, s, t: 0.8 * w * (s + 1), "history", steps=[0, 70, 100]
    )
    options = {"quantity": "train_loss", "against": "scaled_sharpness"}
    found = measured("late_ratio", {**tables, **loss}, **options).estimate
    assert parts(found) == pytest.approx((0.8, 0.8, 0.8))
    flat = make_paths("train_loss", lambda w, s, t: 0.0, "history")
    assert not measured("late_ratio", {**tables, **flat}, **options).estimate.is_bounded


def test_a_diverged_run_leaves_the_spread_open():
    tables = make_paths("scaled_sharpness", lambda w, s, t: 1.0)
    tables["runs"].loc[0, "status"] = "diverged"
    verdict = measured("sharpness_spread", tables)
    assert (verdict.verdict, verdict.estimate.high) == ("undecided", INF)
    assert "1 of 12 runs diverged" in verdict.reason


@pytest.mark.parametrize("quantity", ["train_loss", "scaled_sharpness", "trace"])
def test_gap_growth_of_a_known_power_law(quantity):
    def law(width, seed, step):
        return 3 + (seed + 1.6) * (step**0.8) / width * (width < 256)

    tables = make_paths(quantity, law, "history" if quantity == "train_loss" else "probes")
    found = measured("gap_growth", tables, quantity=quantity, window=1)
    assert parts(found.estimate) == pytest.approx((0.8, 0.8, 0.8), abs=2e-3)


def test_relative_gaps_and_seeds_that_differ():
    def law(width, seed, step):
        gap = (width < 256) * (step + 1) ** 0.8 / width
        return (1 + gap + 0.02 * (seed - 1.5) * (width < 256)) * (step + 1) ** -0.5

    tables = make_paths("train_loss", law, "history", steps=range(0, 2000, 10))
    options = {"quantity": "train_loss", "window": 1}
    found = measured("gap_growth", tables, relative=True, **options)
    assert found.estimate.value == pytest.approx(0.8, abs=0.01)
    assert measured("gap_growth", tables, **options).estimate.value < 0.4


def test_too_short_a_trajectory_is_undecided_and_says_so():
    tables = make_paths("trace", lambda w, s, t: float(w + t), steps=[0, 50, 100])
    verdict = measured("gap_growth", tables, quantity="trace")
    assert verdict.verdict == "undecided"
    assert "1 points in time are left" in verdict.reason


def test_gaps_of_seeds_that_have_no_common_sign_are_open():
    tables = make_paths("trace", lambda w, s, t: 10 + (s - 1.5) * (w < 256) * (t + 1))
    verdict = measured("gap_growth", tables, quantity="trace", window=1)
    assert (verdict.verdict, verdict.estimate.is_bounded) == ("undecided", False)


def test_several_probes_must_be_told_apart():
    tables = make_paths("trace", lambda w, s, t: 1.0 + w)
    other = tables["probes"].assign(probe="cheap", trace=2.0)
    tables["probes"] = pd.concat([tables["probes"], other])
    with pytest.raises(ClaimError, match="name one as the option `probe`; known: cheap, hessian"):
        measured("sharpness_spread", tables, quantity="trace")
    found = measured("sharpness_spread", tables, quantity="trace", probe="hessian")
    assert found.estimate.value > 10
    words = "no probe 'x' with trace; known probes of trace: cheap, hessian"
    with pytest.raises(ClaimError, match=words):
        measured("sharpness_spread", tables, quantity="trace", probe="x")


def test_a_run_in_two_grids_is_one_run_with_the_rows_of_one_grid():
    tables = make_paths("trace", lambda w, s, t: 1.0 + w)
    twice = {name: pd.concat([t, t.assign(grid="again")]) for name, t in tables.items()}
    assert measured("sharpness_spread", twice, quantity="trace") == measured(
        "sharpness_spread", tables, quantity="trace"
    )


def test_the_share_of_unclipped_entries_is_read_from_the_history():
    runs, history = make_paths("unclipped_share", lambda w, s, t: 8.0 / w, "history").values()
    found = measured(
        "size_exponent", {"runs": runs, "history": history}, quantity="unclipped_share"
    )
    assert found.estimate.value == pytest.approx(-1)
