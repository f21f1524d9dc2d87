"""What would decide a claim, power, p values, Holm, and levels of looks, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.support.claims import make_claim

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import mean_over_seeds
from hypertransfer.analysis.looks import ONCE, Looks
from hypertransfer.claims import outlook, verdicts
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.judging import examine
from hypertransfer.claims.measure import MEASURES, Measure
from hypertransfer.claims.measuring import measured

VALUES = np.array([0.1, -0.3, 0.5, 0.9, 0.2])
MEAN, SIGMA = float(VALUES.mean()), float(VALUES.std(ddof=1))
LOOKS = Looks((4, 10), {"c"})


@pytest.fixture(autouse=True)
def mean_measure(monkeypatch):
    """Measures of the final loss: its mean over seeds, and over groups."""

    def mean(tables, level):
        values = tables["runs"].groupby("seed")["final_loss"].mean().to_numpy()
        return mean_over_seeds(values, level=level)

    def of_groups(tables, level):
        found = mean(tables, level)
        return Estimate(found.value, found.low, found.high, found.count, "groups")

    monkeypatch.setitem(MEASURES, "mean", Measure(mean, "loss"))
    monkeypatch.setitem(MEASURES, "groups", Measure(of_groups, "loss"))


def claim(**changes):
    return make_claim(**{"id": "c", "measure": "mean", "where": {"place": "a"}, **changes})


def tables(probes=None, **places):
    rows = [
        (place, seed, f"{place}{seed}", value, 6.0, "finished")
        for place, values in {"a": VALUES, **places}.items()
        for seed, value in enumerate(values)
    ]
    columns = ["place", "seed", "key", "final_loss", "seconds", "status"]
    return {"runs": pd.DataFrame(rows, columns=columns)} | (
        {"probes": probes} if probes is not None else {}
    )


def half_width(count, level):
    return stats.t.ppf((1 + level) / 2, count - 1) * SIGMA / math.sqrt(count)


def card(*entries, looks=None, **places):
    facts = {"study": "s", "scale": "desk", "edition": "1", "looks": looks}
    registered = {entry["id"]: "not registered" for entry in entries}
    found = verdicts.scorecard(entries, tables(**places), registered=registered, **facts)
    return found.set_index("claim")


def test_an_undecided_claim_says_how_many_seeds_and_minutes_would_decide_it():
    bar = MEAN + 0.2
    verdict = verdicts.check(claim(bar={"max": bar}), tables())
    needed = verdict.outlook.units_needed
    assert verdict.verdict == "undecided"
    assert half_width(needed, 0.95) <= 0.2 < half_width(needed - 1, 0.95)
    assert verdict.outlook.minutes_needed == pytest.approx((needed - 5) * 6 / 60)
    text = f"about {needed} seeds in place of 5 would decide it if values stay"
    assert f"; {text} ({(needed - 5) / 10:.2g} core-minutes more)" in verdict.reason


def test_seconds_of_probes_and_of_the_controls_runs_count():
    probes = pd.DataFrame({"key": ["a0", "a1", "b0", "z0"], "seconds": [5.0, 5.0, 10.0, 99.0]})
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"min": 1}}
    of = Claim.parse(claim(control=control))
    both, at = [of, of.control], tables(probes, b=VALUES + 9)
    assert outlook.seconds_per_seed(both, at) == pytest.approx((5 * 6 + 5 * 6 + 20) / 5)
    assert outlook.seconds_per_seed([of.control], at) == pytest.approx((5 * 6 + 10) / 5)
    without = {"runs": tables(b=VALUES)["runs"].drop(columns="seconds")}
    assert outlook.seconds_per_seed(both, without) is None
    other = Claim.parse(claim(measure="regret_ratio", where={}))
    assert outlook.seconds_per_seed([other], tables()) is None


def test_looks_set_the_level_which_the_reason_says():
    at = verdicts.check(claim(bar={"max": MEAN + 0.2}), tables(), LOOKS)
    assert at.estimate.high == pytest.approx(MEAN + half_width(5, 0.99))
    assert "over 5 seeds (99 % interval), on both sides" in at.reason
    assert half_width(at.outlook.units_needed, 0.96) <= 0.2  # by the last look
    usual = verdicts.check(claim(bar={"max": MEAN + 0.2}), tables(), Looks((4, 10), {"d"}))
    assert usual.estimate.high == pytest.approx(MEAN + half_width(5, 0.95))
    assert "interval)" not in usual.reason
    groups = verdicts.check(claim(measure="groups", bar={"max": 0}), tables(), LOOKS)
    assert groups.estimate.high == pytest.approx(MEAN + half_width(5, 0.95))


def test_a_scorecard_has_levels_of_looks():
    once, looked = (card(claim(bar={"max": 2}), looks=looks) for looks in (None, LOOKS))
    assert once["high"]["c"] == pytest.approx(MEAN + half_width(5, 0.95))
    assert looked["high"]["c"] == pytest.approx(MEAN + half_width(5, 0.99))
    assert looked["units"]["c"] == 5


@pytest.mark.parametrize("bar", [{"max": 1.5}, {"min": -1.5}, {"max": -1.2}])
def test_the_p_value_of_a_mean_is_that_of_a_t_test_against_the_bar(bar):
    (end,) = bar.values()
    expected = stats.ttest_1samp(VALUES, end).pvalue
    verdict = verdicts.check(claim(bar=bar), tables())
    assert verdict.verdict in ("holds", "fails")
    assert verdict.outlook.p_value == pytest.approx(expected, rel=0.06)
    assert verdict.outlook.p_value >= expected * (1 - 1e-9)
    # At the first look only a fifth of the error may be spent.
    looked = verdicts.check(claim(bar=bar), tables(), LOOKS)
    assert looked.outlook.p_value == pytest.approx(5 * expected, rel=0.06)


def test_a_clear_verdict_has_the_least_p_value_and_an_undecided_claim_none():
    clear = verdicts.check(claim(bar={"max": 1e6}), tables())
    assert clear.outlook.p_value == pytest.approx(outlook.LEAST_ERROR)
    assert clear.outlook.units_needed is None
    assert verdicts.check(claim(bar={"max": MEAN + 0.2}), tables()).outlook.p_value is None


def test_a_measure_that_is_a_p_value_is_its_own(monkeypatch):
    monkeypatch.setitem(
        MEASURES, "p", Measure(lambda tables, level: Estimate(0.03, 0.03, 0.03, 5), "p")
    )
    holds, fails = (
        verdicts.check(claim(measure="p", bar={"max": bar}), tables()) for bar in (0.05, 0.01)
    )
    assert (holds.verdict, holds.outlook.p_value) == ("holds", 0.03)
    assert (fails.verdict, fails.outlook.p_value) == ("fails", None)


def test_holm_counts_all_claims_of_the_paper_and_no_others():
    entries = [
        claim(id="a", kind="paper", bar={"max": 1.2}),
        claim(id="b", kind="paper", bar={"max": 1.5}),
        claim(id="open", kind="paper", bar={"max": MEAN + 0.2}),
        claim(id="ours", kind="ours", bar={"max": 1.5}),
    ]
    found = card(*entries)
    first, second = sorted(found["p_value"][["a", "b"]])
    assert sorted(found["p_holm"][["a", "b"]]) == pytest.approx([3 * first, 2 * second])
    assert found["p_holm"][["open", "ours"]].isna().all()
    assert found["p_value"].isna().tolist() == [False, False, True, False]


def test_power_is_the_chance_to_hold_if_the_source_is_right():
    verdict = verdicts.check(claim(bar={"max": 1}, paper_number=0.4), tables())
    shift = 0.6 / SIGMA * math.sqrt(5)
    expected = stats.nct.sf(stats.t.ppf(0.975, 4), 4, shift)
    assert verdict.outlook.power == pytest.approx(expected, abs=1e-3)
    assert verdicts.check(claim(bar={"max": 1}), tables()).outlook.power is None
    looked = verdicts.check(claim(bar={"max": 1}, paper_number=0.4), tables(), LOOKS)
    assert looked.outlook.power < verdict.outlook.power
    few = verdicts.check(claim(bar={"max": 1}, paper_number=0.4, min_seeds=6), tables())
    assert few.outlook.power == 0


def undecided(bar, at, **changes):
    """The reason why a claim of a measure is undecided, and the number of seeds that it needs."""
    found = verdicts.check(claim(bar=bar, **changes), at)
    assert found.verdict == "undecided"
    return found.reason, found.outlook.units_needed


def test_reasons_say_why_no_number_of_seeds_decides(monkeypatch):
    at = tables()
    assert "the value lies on the bar, so that no number" in undecided({"max": MEAN}, at)[0]
    near, needed = undecided({"max": MEAN + 1e-4}, at)
    assert "more than 10,000 seeds would be needed" in near
    assert needed is None

    def step(tables, level):
        found = MEASURES["mean"].function(tables, level)
        return Estimate(found.value, found.low - 0.3, found.high + 0.3, found.count)

    monkeypatch.setitem(MEASURES, "step", Measure(step, ""))
    reason, needed = undecided({"max": MEAN + 0.2}, at, measure="step")
    assert "the part of the interval that more seeds do not narrow is on both sides" in reason
    assert needed is None
    assert undecided({"max": MEAN + 0.4}, at, measure="step")[1] > 5

    def half_open(tables, level):
        found = MEASURES["mean"].function(tables, level)
        return Estimate(found.value, found.low, math.inf, found.count)

    monkeypatch.setitem(MEASURES, "half", Measure(half_open, ""))
    reason, _ = undecided({"max": MEAN + 0.2}, at, measure="half")
    assert "the end that could decide it is open, which more seeds alone may not change" in reason

    def unbounded(tables, level):
        return Estimate(0.0, -math.inf, math.inf, 5)

    monkeypatch.setitem(MEASURES, "unbounded", Measure(unbounded, ""))
    reason, _ = undecided({"max": 1}, at, measure="unbounded")
    assert "both ends are open, which more seeds alone may not change" in reason


def test_an_interval_that_shrinks_as_a_whole_leaves_no_part(monkeypatch):
    def step(tables, level):
        found = MEASURES["mean"].function(tables, level)
        return Estimate(found.value, found.low - 0.3, found.high + 0.3, found.count)

    needed = []
    for shrinks in (False, True):
        monkeypatch.setitem(MEASURES, "step", Measure(step, "", shrinks=shrinks))
        needed.append(undecided({"max": MEAN + 0.2}, tables(), measure="step")[1])
    assert needed[0] is None
    assert needed[1] > 5
    assert verdicts.measures()["sharpness_spread"].shrinks
    assert not verdicts.measures()["optimum_shift"].shrinks


def test_a_control_needs_its_seeds_too():
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"min": 1}}
    held = {"bar": {"max": 2}, "control": control}
    _, needed = undecided(at=tables(b=VALUES + 1), **held)  # the mean of the control is MEAN + 1
    assert half_width(needed, 0.95) <= MEAN < half_width(needed - 1, 0.95)
    _, both = undecided({"max": MEAN + 0.05}, tables(b=VALUES + 1), control=control)
    assert both > needed
    reason, none = undecided(at=tables(b=VALUES + 0.5), **held)
    assert reason.endswith("of the control, its value fails")
    assert none is None


def test_asked_seeds_are_enough_where_the_interval_decides():
    found = verdicts.check(claim(bar={"max": 2}, min_seeds=8), tables())
    assert (found.verdict, found.outlook.units_needed) == ("undecided", 8)
    two = {"runs": tables()["runs"].query("seed < 2")}
    few = verdicts.check(claim(bar={"max": 2}, min_seeds=2), two)
    assert few.reason.endswith("an interval needs 3 seeds")


def test_the_precision_of_a_ratio_is_that_of_its_logarithm(monkeypatch):
    def ratio(tables, level):
        values = tables["runs"].groupby("seed")["final_loss"].mean().to_numpy()
        found = mean_over_seeds(values, level=level)
        return Estimate(*(math.exp(x) for x in (found.value, found.low, found.high)), found.count)

    monkeypatch.setitem(MEASURES, "ratio", Measure(ratio, "× steps"))
    of = Claim.parse(claim(measure="ratio"))
    found = measured(of, tables(), of, ONCE).precision
    assert found.value == pytest.approx(MEAN)
    assert found.above.deviation == pytest.approx(SIGMA, rel=1e-6)


def test_an_unsigned_shift_is_at_least_zero():
    shift = verdicts.measures()["optimum_shift"]
    assert shift.bounds({}) == (0, math.inf)
    assert shift.bounds({"signed": True}) == (-math.inf, math.inf)
    assert verdicts.measures()["tasks_improved"].bounds({}) == (0, 100)


def test_examining_leaves_the_control_out_where_too_few_seeds_ran():
    control = {"measure": "mean", "where": {"place": "nowhere"}, "bar": {"min": 1}}
    few = Claim.parse(claim(control=control, min_seeds=9))
    assert examine(few, tables(), ONCE).control is None


def test_the_seeds_that_are_needed_are_a_number_that_looks_test():
    """Four seeds would be enough at the last look's level, which five do not have."""
    looks = Looks((5, 8, 30), {"c"})
    for bar in (MEAN + 0.35, MEAN + 0.2):
        verdict = verdicts.check(claim(bar={"max": bar}), tables(), looks)
        needed = verdict.outlook.units_needed
        assert verdict.verdict == "undecided"
        assert needed in (8, 30)
        assert half_width(needed, looks.level_for(needed)) <= bar - MEAN
    far = verdicts.check(claim(bar={"max": MEAN + 0.08}), tables(), looks)
    assert far.outlook.units_needed > 30
    assert "which are more than the 30 that may run" in far.reason


def test_what_a_control_lacks_is_said_of_the_control():
    control = {"measure": "mean", "where": {"place": "b"}, "bar": {"max": MEAN + 0.2}}
    of = claim(bar={"max": 1e6}, control=control)
    verdict = verdicts.check(of, tables(b=VALUES))
    assert verdict.verdict == "undecided"
    assert "seeds of the control in place of 5 would decide it" in verdict.reason
    more = verdict.outlook.units_needed - 5
    assert more > 0
    assert verdict.outlook.minutes_needed == pytest.approx(more * 6 / 60)  # of its runs alone
    both = claim(bar={"max": MEAN + 0.2}, control=control)
    verdict = verdicts.check(both, tables(b=VALUES))
    assert verdict.outlook.minutes_needed == pytest.approx(more * 12 / 60)


def test_a_control_over_other_units_has_its_own_noun():
    control = {"measure": "groups", "where": {"place": "a"}, "bar": {"max": MEAN + 0.3}}
    found = verdicts.check(claim(bar={"max": 9}, control=control), tables(), LOOKS)
    assert " groups of the control in place of 5 would decide it if values stay" in found.reason
    assert (found.outlook.units_needed, found.outlook.minutes_needed) == (None, None)
    assert "may run" not in found.reason  # looks add no groups


def test_a_control_over_seeds_has_no_number_in_the_columns_of_a_claim_over_groups():
    own = {"measure": "groups", "where": {"place": "a"}, "bar": {"max": 9}}
    control = {"measure": "mean", "where": {"place": "a"}, "bar": {"max": MEAN + 0.1}}
    found = verdicts.check(claim(**own, control=control), tables(), LOOKS)
    assert " seeds of the control in place of " in found.reason
    assert (found.outlook.units_needed, found.outlook.minutes_needed) == (None, None)
