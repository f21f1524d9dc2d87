"""The logic of verdicts, the selection of runs, and scorecards."""

import copy
import math

import pandas as pd
import pytest
from tests.support.claims import INF, SP, make_claim, make_runs, make_tables

from hypertransfer.analysis.estimate import Estimate, exact
from hypertransfer.analysis.intervals import over_seeds
from hypertransfer.claims import bars, judging, verdicts
from hypertransfer.claims.measure import MEASURES, ClaimError, Measure
from hypertransfer.claims.measuring import OF_MACHINE


@pytest.mark.parametrize(
    ("low", "high", "bar", "verdict"),
    [
        (0.1, 0.9, {"max": 1}, "holds"),
        (0.1, 1.0 + 1e-12, {"max": 1}, "holds"),
        (0.9, 1.1, {"max": 1}, "undecided"),
        (1.1, 1.3, {"max": 1}, "fails"),
        (2.1, 3.0, {"min": 2}, "holds"),
        (2.0 - 1e-12, 3.0, {"min": 2}, "holds"),
        (1.9, 3.0, {"min": 2}, "undecided"),
        (1.0, 1.9, {"min": 2}, "fails"),
        (0.5, 0.9, {"min": 0.4, "max": 1}, "holds"),
        (0.3, 0.9, {"min": 0.4, "max": 1}, "undecided"),
        (0.3, 1.1, {"min": 0.4, "max": 1}, "undecided"),
        (0.1, 0.3, {"min": 0.4, "max": 1}, "fails"),
        (1.1, 1.3, {"min": 0.4, "max": 1}, "fails"),
        (2.5, INF, {"min": 2}, "holds"),
        (2.5, INF, {"max": 1}, "fails"),
        (1.5, INF, {"min": 2}, "undecided"),
        (-INF, -1.0, {"max": 0}, "holds"),
        (-INF, -1.0, {"min": 0}, "fails"),
        (-INF, INF, {"max": 0}, "undecided"),
        (INF, INF, {"max": 2}, "fails"),
    ],
)
def test_an_interval_decides_only_when_all_of_it_lies_on_one_side(low, high, bar, verdict):
    found, reason, cause = judging.judge(bar, Estimate(1.0, low, high, 3), "octaves", 3)
    assert (found, cause) == (verdict, "")
    assert bars.bar_text(bar, "octaves") in reason


@pytest.mark.parametrize(
    ("low", "high", "bar", "text"),
    [
        (0.0, 0.50005788, {"max": 0.5}, "0 to 0.5001"),  # not 0 to 0.5, which meets the bar
        (-0.3499, -0.3, {"max": -0.35}, "-0.3499 to -0.3"),
        (0.34566, 0.5, {"max": 0.5}, "0.346 to 0.5"),
    ],
)
def test_reasons_print_ends_on_their_side_of_the_bar(low, high, bar, text):
    _, reason, _ = judging.judge(bar, Estimate(0.4, low, high, 3), "", 3)
    assert reason.startswith(f"{text} over 3 seeds,")


def test_reasons_print_no_digits_of_an_end_far_from_a_ratio():
    found = Estimate(1.0, 1.0, 77709.0, 3)
    for unit, text in (("×", "1 to > 100 over 3 seeds,"), ("octaves", "1 to 7.77e+04 over")):
        verdict, reason, _ = judging.judge({"max": 1.5}, found, unit, 3)
        assert verdict == "undecided"
        assert reason.startswith(text)


def test_an_interval_with_one_end_has_its_digits():
    for found, text in (
        (Estimate(1.0, 0.001, math.inf, 6), "at least 0.001 over 6 seeds"),
        (Estimate(1.0, -math.inf, 1e9, 6), "at most 1e+09 over 6 seeds"),
    ):
        _, reason, _ = judging.judge({"max": 1.5}, found, "×", 3)
        assert reason.startswith(text)


def test_a_cause_is_given_only_if_it_is_the_control_or_too_few_seeds():
    tables = make_tables()
    failing = {"measure": "optimum_shift", "where": SP, "bar": {"max": 1}}
    unmet = verdicts.check(make_claim(control=failing), tables)
    few = verdicts.check(make_claim(min_seeds=99), tables)
    near = verdicts.check(make_claim(where={}), {"runs": make_runs((0.0, 0.5, 1.0), noise=0.1)})
    assert [v.verdict for v in (unmet, few, near)] == ["undecided"] * 3
    assert [v.cause for v in (unmet, few, near)] == [
        "control not met",
        "too few seeds",
        "",
    ]


def test_a_true_claim_holds_and_a_false_one_fails():
    tables = make_tables()
    true = verdicts.check(make_claim(), tables)
    assert (true.verdict, true.estimate.count, bars.bar_text(true.claim.bar, true.unit)) == (
        "holds",
        5,
        "≤ 1 octave",
    )
    assert true.estimate.value == pytest.approx(0.2, abs=0.1)
    assert 0 < true.estimate.low < true.estimate.value < true.estimate.high < 1
    false = verdicts.check(make_claim(where=SP), tables)
    assert false.verdict == "fails"
    assert false.estimate.value == pytest.approx(5, abs=0.1)


def test_a_claim_at_its_bar_is_undecided():
    tables = {"runs": make_runs((0.0, 0.5, 1.0), noise=0.1)}
    verdict = verdicts.check(make_claim(where={}), tables)
    assert verdict.verdict == "undecided"
    assert "on both sides of the bar ≤ 1 octave" in verdict.reason


def test_too_few_seeds_leave_a_claim_undecided():
    tables = {"runs": make_runs((0.1, 0.2, 0.3), seeds=2)}
    verdict = verdicts.check(make_claim(where={}), tables)
    assert (verdict.verdict, verdict.reason) == ("undecided", "2 seeds ran, and 3 are asked for")
    lenient = verdicts.check(make_claim(where={}, min_seeds=2), tables)
    assert (lenient.verdict, lenient.estimate.high) == ("undecided", INF)


def test_words_of_a_caveat_do_not_count_as_seeds_that_are_left_out(monkeypatch):
    def own(tables, level):
        return over_seeds(lambda seeds: exact(1.0), 2).with_caveats(["the warm-up is left out"])

    monkeypatch.setitem(MEASURES, "own", Measure(own, ""))
    verdict = verdicts.check(
        make_claim(where={}, measure="own"), {"runs": make_runs((0.1, 0.2, 0.3))}
    )
    assert verdict.reason == "2 seeds ran, and 3 are asked for"


@pytest.mark.parametrize(
    ("read", "is_of_machine"), [("step_seconds", True), ("seconds", True), ("loss", False)]
)
def test_a_verdict_on_a_time_says_that_it_is_of_the_machine(read, is_of_machine, monkeypatch):
    def function(tables, level, *, read="loss"):
        return Estimate(0.5, 0.4, 0.6, 5, caveat="2 are left out", left_out=2)

    monkeypatch.setitem(MEASURES, "timed", Measure(function, ""))
    claim = make_claim(measure="timed", options={"read": read})
    verdict = verdicts.check(claim, make_tables())
    assert verdict.verdict == "holds"
    assert (OF_MACHINE in verdict.reason) is is_of_machine
    assert "2 are left out" in verdict.reason
    assert verdict.estimate.left_out == 2


def test_seeds_that_not_all_sizes_have_do_not_count():
    runs = make_runs((0.1, 0.2, 0.3))
    runs = runs[(runs["shape.width"] < 256) | (runs["seed"] < 2)]
    assert verdicts.check(make_claim(where={}), {"runs": runs}).estimate.count == 2
    verdict = verdicts.check(make_claim(where={}, min_seeds=2), {"runs": runs})
    assert "3 seeds are left out" in verdict.reason


def test_a_seed_with_a_run_left_out_of_the_sweep_counts_where_it_ran():
    runs = make_runs((0.1, 0.2, 0.3), seeds=3)
    rate = sorted(set(runs["lr"]))[2]
    gap = (runs["seed"] == 1) & (runs["shape.width"] == 256) & (runs["lr"] == rate)
    verdict = verdicts.check(make_claim(where={}), {"runs": runs[~gap]})
    assert (verdict.verdict, verdict.estimate.count) == ("holds", 3)
    alone = (runs["seed"] != 1) | (runs["shape.width"] != 256) | (runs["lr"] == rate)
    few = verdicts.check(make_claim(where={}), {"runs": runs[alone]})
    text = "1 seed is left out, not every shape.width has it at enough values of lr"
    assert few.reason == f"2 seeds can be used, and 3 are asked for; {text}"


def test_a_claim_without_a_common_seed_is_undecided():
    runs = make_runs((0.1, 0.2, 0.3), seeds=2)
    apart = runs[(runs["shape.width"] == 256) == (runs["seed"] == 1)]
    verdict = verdicts.check(make_claim(where={}), {"runs": apart})
    assert verdict.verdict == "undecided"
    assert "no seed was run at every shape.width and lr" in verdict.reason


def edge_tables():
    """SP's optimum at width 256 lies 2 octaves below the lowest learning rate tried."""
    return {"runs": make_runs((0.1, -2.4, -4.9), log2_lrs=range(-3, 3))}


def test_an_optimum_on_the_edge_decides_what_one_side_is_enough_for():
    moved = verdicts.check(make_claim(where={}, bar={"min": 2}), edge_tables())
    assert (moved.verdict, moved.estimate.high) == ("holds", INF)
    assert 2.0 < moved.estimate.low < 2.2  # from 0.1 to no higher than a step above 2^-3
    assert "at shape.width 256 the optimum lies on the low edge" in moved.reason
    assert verdicts.check(make_claim(where={}, bar={"max": 1}), edge_tables()).verdict == "fails"


def test_an_optimum_on_the_edge_does_not_decide_what_needs_the_other_side():
    for bar in ({"min": 3}, {"max": 3}, {"min": 1, "max": 8}):
        verdict = verdicts.check(make_claim(where={}, bar=bar), edge_tables())
        assert verdict.verdict == "undecided"
        assert "low edge of the values tried, 0.125" in verdict.reason


def test_a_signed_shift_at_the_edge_is_known_from_above():
    claim = make_claim(where={}, bar={"max": -2}, options={"signed": True})
    verdict = verdicts.check(claim, edge_tables())
    assert (verdict.verdict, verdict.estimate.low) == ("holds", -INF)
    claim = make_claim(where={}, bar={"min": 2}, options={"signed": True})
    assert verdicts.check(claim, edge_tables()).verdict == "fails"


def test_both_optima_on_the_same_edge_say_nothing():
    tables = {"runs": make_runs((-9, -9, -9), log2_lrs=range(-6, 0), noise=0)}
    tables["runs"] = tables["runs"].assign(status="finished", final_loss=tables["runs"]["lr"])
    for bar in ({"max": 1}, {"min": 2}):
        assert verdicts.check(make_claim(where={}, bar=bar), tables).verdict == "undecided"


def test_an_edge_at_a_middle_size_does_not_matter_to_a_shift_but_to_a_slope():
    runs = make_runs((0.1, 0.1, 0.1))
    tables = {"runs": runs[(runs["shape.width"] != 64) | (runs["lr"] >= 1)]}
    shift = verdicts.check(make_claim(where={}, bar={"max": 0.5}), tables)
    assert (shift.verdict, "edge" in shift.reason) == ("holds", False)
    four = make_runs((0.1, 0.1, 0.1, 0.1), widths=(16, 32, 64, 256))
    open_ = {"runs": four[(four["shape.width"] != 32) | (four["lr"] >= 1)]}
    slope = verdicts.check(make_claim(where={}, measure="optimum_slope"), open_)
    assert slope.verdict == "undecided"
    assert "at shape.width 32 the optimum lies on the low edge" in slope.reason


def test_a_diverged_neighbour_widens_the_interval_and_is_told():
    runs = make_runs((0.1, 0.1, 0.1), noise=0)
    crash = (runs["shape.width"] == 256) & (runs["lr"] >= 2)
    runs.loc[crash, ["final_loss", "status"]] = [INF, "diverged"]
    verdict = verdicts.check(make_claim(where={}), {"runs": runs})
    assert (verdict.estimate.low, verdict.estimate.high) == (0, pytest.approx(0.9, abs=0.02))
    assert "known to a grid step only" in verdict.reason


def test_when_everything_diverged_a_claim_is_undecided_and_says_so():
    runs = make_runs((0.1, 0.1, 0.1))
    runs.loc[runs["shape.width"] == 256, ["final_loss", "status"]] = [INF, "diverged"]
    for name in ("optimum_shift", "transfer_regret", "transfer_regret_sigma"):
        verdict = verdicts.check(make_claim(where={}, measure=name), {"runs": runs})
        assert verdict.verdict == "undecided"
        assert "at shape.width 256 every value tried diverged" in verdict.reason


def test_per_seed_optima_tell_how_many_seeds_have_none():
    runs = make_runs((0.1, 0.1, 0.1))
    crash = (runs["shape.width"] == 16) & (runs["seed"] == 3) & (runs["lr"] >= 2)
    runs.loc[crash, ["final_loss", "status"]] = [INF, "diverged"]
    claim = make_claim(where={}, options={"per_seed": True})
    verdict = verdicts.check(claim, {"runs": runs})
    assert "a neighbour diverged, is as good or the last (seeds: 1 of 5)" in verdict.reason


def test_a_control_must_hold_for_a_claim_to_have_power():
    control = {"measure": "optimum_shift", "where": SP, "bar": {"min": 2}}
    assert verdicts.check(make_claim(control=control), make_tables()).verdict == "holds"
    weak = {**control, "bar": {"min": 6}}
    verdict = verdicts.check(make_claim(control=weak), make_tables())
    assert verdict.verdict == "undecided"
    assert "the control does not hold" in verdict.reason
    assert "≥ 6 octaves fails" in verdict.reason
    assert verdict.estimate.high < 1  # the claim's own numbers are kept
    few = verdicts.check(make_claim(control=control), make_tables(seeds=2))
    assert (few.verdict, "2 seeds ran" in few.reason) == ("undecided", True)


def test_one_size_alone_is_undecided():
    tables = make_tables()
    for name in ("optimum_shift", "transfer_regret_sigma", "stable_lr_shift"):
        claim = make_claim(measure=name, where={"parameterisation": "mup", "shape.width": 64})
        verdict = verdicts.check(claim, tables)
        assert verdict.verdict == "undecided"
        assert "only one shape.width was selected (64)" in verdict.reason


def test_the_interval_repeats_itself():
    tables = {"runs": make_runs((0.1, 0.2, 0.3), seeds=9, noise=0.2)}
    first, again = (verdicts.check(make_claim(where={}), tables) for _ in range(2))
    assert first == again


def test_where_takes_values_lists_and_bounds():
    tables = make_tables()
    narrow = {**SP, "shape.width": [16, 64], "lr": {"min": 2**-5}}
    assert verdicts.check(make_claim(where=narrow), tables).estimate.value == pytest.approx(
        2.5, abs=0.1
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"where": {"parameterization": "mup"}}, "no column 'parameterization'; known: "),
        ({"where": {"parameterisation": "ntp"}}, "no run has 'ntp'; .* there is mup, sp"),
        ({"where": {"lr": {"min": "high"}}}, "where.lr: .* cannot be compared"),
        ({"where": {}}, "choose one in `where`; they differ in parameterisation"),
        ({"options": {"size": "shape.depth"}}, "no column 'shape.depth'"),
        ({"measure": "gap_growth", "options": {"quantity": "train_loss"}}, "the table 'history'"),
        ({"bar": {"max": "1"}}, "bar.max: '1' is not a finite number"),
        (
            {"control": {"measure": "optimum_shift", "where": {"x": 1}, "bar": {"min": 2}}},
            r"\(control\): the table 'runs' has no column 'x'",
        ),
    ],
)
def test_what_cannot_be_measured_is_an_error_that_names_the_claim(changes, words):
    with pytest.raises(ClaimError, match=rf"^claim 'mup-width'.*{words}"):
        verdicts.check(make_claim(**changes), make_tables())


def test_a_missing_or_empty_table_is_told():
    with pytest.raises(ClaimError, match="table 'runs' is needed"):
        verdicts.check(make_claim(), {})
    with pytest.raises(ClaimError, match="is empty"):
        verdicts.check(make_claim(), {"runs": make_tables()["runs"].iloc[:0]})


def card(*entries, tables=None, **facts):
    tables = tables or make_tables()
    facts = {"study": "s", "scale": "desk", "edition": "1", **facts}
    registered = {entry["id"]: f"before results, {entry['id']}" for entry in entries}
    return verdicts.scorecard(entries, tables, registered=registered, **facts)


def test_seeds_of_independent_searches_count_as_searches():
    """Another grid, whose seeds are seeds, is beside it."""
    tables = make_tables()
    other = tables["runs"].assign(grid="width-transfer")
    tables["runs"] = pd.concat([tables["runs"], other.assign(key="t" + other["key"])])
    where = {"parameterisation": "mup", "grid": "width-transfer"}
    asked = {"min_seeds": 9, "where": where}
    entries = [make_claim(where=where), make_claim(id="few", **asked), make_claim(id="seeds")]
    control = {"measure": "optimum_shift", "where": where, "bar": {"min": 9}}
    entries[-1] |= {"where": {**where, "grid": "width"}, "control": control}
    rows = card(*entries, tables=tables, searched=["width-transfer"])
    assert rows["over"].tolist() == ["searches", "searches", "seeds"]
    assert "over 5 searches" in rows["reason"][0]
    assert rows["cause"][1] == "too few searches"
    assert rows["minutes_needed"].isna().all()  # the seconds of an evaluation are not of a search
    assert "5 searches, all of it violates" in rows["reason"][2]
    assert card(*entries, tables=tables)["over"].tolist() == ["seeds"] * 3


DOCUMENTED = (
    "study", "claim", "sentence", "kind", "source", "paper_value", "value", "low", "high",
    "observed", "over", "units", "units_needed", "minutes_needed", "power", "p_value", "p_holm",
    "bar", "bar_min", "bar_max", "bar_from", "test", "verdict", "confidence", "registered", "scale",
    "edition", "reason", "cause", "unit",
)  # fmt: skip


def test_a_scorecard_has_a_row_a_claim_and_the_documented_columns():
    two = card(make_claim(paper_value="≤ 1"), make_claim(id="sp", where=SP, bar={"min": 2}))
    assert tuple(two.columns) == DOCUMENTED
    assert two["claim"].tolist() == ["mup-width", "sp"]
    assert two["verdict"].tolist() == ["holds", "holds"]
    assert two["kind"].tolist() == ["ours", "ours"]
    assert two["test"].tolist() == ["stays", "moves"]
    assert two["registered"].tolist() == ["before results, mup-width", "before results, sp"]
    assert two.iloc[0][["study", "scale", "edition", "unit"]].tolist() == [
        "s",
        "desk",
        "1",
        "octaves",
    ]
    assert two["paper_value"].isna().tolist() == [False, True]
    numbers = ["value", "low", "high", "observed", "bar_min", "bar_max"]
    assert two.dtypes[numbers].eq(float).all()
    assert two["bar_max"].fillna(-9).tolist() == [1, -9]
    assert two["bar_min"].fillna(-9).tolist() == [-9, 2]
    assert two["over"].tolist() == ["seeds", "seeds"]
    assert two["cause"].tolist() == ["", ""]


def test_an_empty_scorecard_has_the_same_columns_and_types():
    pd.testing.assert_series_equal(card().dtypes, card(make_claim()).dtypes)


@pytest.mark.parametrize("error", [IndexError("out of bounds"), ValueError("-inf + inf in fsum")])
def test_a_measure_that_breaks_down_leaves_the_others_their_verdicts(error, monkeypatch):
    alone = card(make_claim(id="b"))
    whole = verdicts._checked

    def checked(claim, *rest):
        if claim.id == "mup-width":
            raise error
        return whole(claim, *rest)

    monkeypatch.setattr(verdicts, "_checked", checked)
    both = card(make_claim(), make_claim(id="b"))
    assert both["verdict"].tolist() == ["undecided", alone["verdict"][0]]
    text = f"it cannot be measured: {type(error).__name__} in optimum_shift: {error}"
    assert both["reason"][0] == text


def test_a_claim_that_cannot_be_measured_leaves_the_others_their_verdicts():
    alone = card(make_claim(id="b"))
    both = card(make_claim(where={"x": 1}), make_claim(id="b"))
    assert both["claim"].tolist() == ["mup-width", "b"]
    assert both["verdict"][0] == "undecided"
    assert both["reason"][0].startswith(
        "it cannot be measured: claim 'mup-width': the table 'runs'"
    )
    assert math.isnan(both["value"][0])
    pd.testing.assert_frame_equal(both[1:].reset_index(drop=True), alone)
    with pytest.raises(ClaimError, match="bar"):
        card(make_claim(bar={}))


@pytest.mark.parametrize("measure", ["transfer_regret", "transfer_regret_sigma", "transfer_gain"])
def test_sizes_with_different_learning_rates_leave_a_regret_undecided(measure):
    """The best learning rate of the smallest size, or its neighbours, were not run elsewhere."""
    tables = make_tables()
    runs, large = tables["runs"], tables["runs"]["shape.width"].max()
    moved = runs.assign(lr=runs["lr"].where(runs["shape.width"] != large, runs["lr"] * 1.3))
    table = card(make_claim(measure=measure), tables={**tables, "runs": moved})
    assert table["verdict"].tolist() == ["undecided"]
    assert f"shape.width {large:g} was not run at lr" in table["reason"][0]


def test_a_scorecard_leaves_its_inputs_alone_and_repeats_itself():
    tables, claim = make_tables(), make_claim()
    before = {name: table.copy() for name, table in tables.items()}, copy.deepcopy(claim)
    first = card(claim, tables=tables)
    pd.testing.assert_frame_equal(first, card(claim, tables=tables))
    pd.testing.assert_frame_equal(tables["runs"], before[0]["runs"])
    assert claim == before[1]
