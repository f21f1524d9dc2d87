"""Claims: planning-time checks, the measures on synthetic tables, and the logic of verdicts."""

import copy
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from hypertransfer.claims import validation, verdicts
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError, Measured
from hypertransfer.runs import conditions
from hypertransfer.storage import parquet

INF = math.inf
WIDTHS = (16, 64, 256)
GRID = range(-6, 3)


def make_runs(vertices, *, widths=WIDTHS, grid="width", log2_lrs=GRID, seeds=5, noise=0.02, **axes):
    """Runs whose loss is a parabola around each width's vertex in log2 lr, with seed noise."""
    rng = np.random.default_rng(0)
    rows = []
    for width, vertex in zip(widths, vertices, strict=True):
        for seed, wobble in enumerate(rng.normal(0, noise, seeds)):
            for x in log2_lrs:
                loss = 0.5 + 0.1 * (x - vertex - wobble) ** 2
                rows.append((width, 2.0**x, seed, loss if x - vertex < 3.5 else INF))
    runs = pd.DataFrame(rows, columns=["shape.width", "lr", "seed", "final_loss"])
    runs = runs.assign(grid=grid, eval_loss=runs["final_loss"] + 0.1, steps_done=100, **axes)
    runs["status"] = np.where(np.isinf(runs["final_loss"]), "diverged", "finished")
    tag = "-".join(map(str, axes.values()))
    return runs.assign(key=[f"{grid}-{tag}-{i}" for i in range(len(runs))])


def make_tables(**sp_options):
    """µP stays within 0.2 octaves; SP falls by 5 octaves over 16× in width."""
    mup = make_runs((0.1, 0.2, 0.3), parameterisation="mup")
    sp = make_runs((0.1, -2.4, -4.9), parameterisation="sp", **sp_options)
    return {"runs": pd.concat([mup, sp], ignore_index=True)}


def make_claim(**changes):
    claim = {
        "id": "mup-width",
        "sentence": "Under µP the best learning rate does not move with width.",
        "source": "Fig. 1",
        "confidence": "high",
        "measure": "optimum_shift",
        "where": {"parameterisation": "mup"},
        "bar": {"max": 1},
    }
    return {**claim, **changes}


SP = {"parameterisation": "sp"}


def make_paths(quantity, function, table="probes", widths=WIDTHS, seeds=4, steps=range(0, 101, 5)):
    """Runs at one learning rate, and a quantity of (width, seed, step) along them."""
    runs = make_runs([0.0] * len(widths), widths=widths, log2_lrs=[0], seeds=seeds)
    rows = [
        (run.key, step, function(width, run.seed, step))
        for run, width in zip(runs.itertuples(), runs["shape.width"], strict=True)
        for step in steps
    ]
    long = pd.DataFrame(rows, columns=["key", "step", quantity]).assign(grid="width")
    return {"runs": runs, table: long.assign(probe="hessian") if table == "probes" else long}


# Planning time -----------------------------------------------------------------------------


def test_a_claim_as_documented_is_valid():
    control = {"measure": "optimum_shift", "where": {"grid": "width"}, "bar": {"min": 2}}
    full = make_claim(
        control=control, min_seeds=2, unit="octaves", paper_value="≤ 1", options={"signed": True}
    )
    assert validation.validate([make_claim(), {**full, "id": "other"}]) == []


def broken():
    yield {"measure": "optimum_shft"}, "measure: 'optimum_shft' is unknown; known: optimum_shift"
    yield {"options": {"sze": "lr"}}, "options.sze: unknown option of optimum_shift; known: size"
    yield {"options": {"signed": "yes"}}, "options.signed: 'yes' is not true or false"
    yield {"options": {"size": 3}}, "options.size: 3 is not a text"
    yield {"options": {"loss": "train"}}, "options.loss: 'train' is not one of final_loss"
    yield {"options": [1]}, "options: [1] is not a mapping"
    yield {"bar": {}}, "bar: {} is not"
    yield {"bar": {"max": 1, "mx": 2}}, "bar: "
    yield {"bar": {"max": "1"}}, "bar.max: '1' is not a finite number"
    yield {"bar": {"max": True}}, "bar.max: True is not a finite number"
    yield {"bar": {"min": INF}}, "bar.min: inf is not a finite number"
    yield {"bar": {"min": 2, "max": 1}}, "bar: min 2 is above max 1"
    yield {"where": ["mup"]}, "where: ['mup'] is not a mapping"
    yield {"confidence": "H"}, "confidence: 'H' is not one of high, medium, low"
    yield {"paper_value": 4.5}, "paper_value: 4.5 is not a text or null"
    yield {"min_seeds": 0}, "min_seeds: 0 is not a whole number of at least 1"
    yield {"sentence": " "}, "sentence: ' ' is not a text"
    yield {"sentense": "x"}, "sentense: unknown key; known: id"
    yield {"unit": 1}, "unit: 1 is not a text"
    yield {"control": "sp"}, "control: 'sp' is not a mapping"
    yield {"control": {"measure": "optimum_shift", "where": {}}}, "control.bar: is missing"
    gap = {"measure": "gap_growth"}
    yield {**gap, "options": {"window": 0}}, "options.window: 0 is not within 1 and inf"
    yield {**gap, "options": {"window": 2.5}}, "options.window: 2.5 is not a whole number"
    yield {**gap, "options": {"burn_in": 1}}, "options.burn_in: 1 is not within 0 and 0.99"
    yield {**gap, "options": {"quantity": "sharpnes"}}, "options.quantity: 'sharpnes' is not one"


@pytest.mark.parametrize(("changes", "words"), list(broken()))
def test_a_broken_claim_is_named_with_what_is_known(changes, words):
    (problem,) = validation.validate([make_claim(**changes)])
    assert problem.startswith(f"claim 'mup-width': {words}")


def test_all_problems_of_all_claims_come_at_once():
    missing = {"id": "empty"}
    texts = validation.validate(
        [make_claim(), make_claim(bar={"max": "x"}, measure="no"), missing, 3]
    )
    assert len(texts) == 2 + 6 + 1 + 1
    assert "claim 'mup-width': the id stands twice; give each its own" in texts
    assert "claim 'empty': bar: is missing" in texts
    assert "claim 3: 3 is not a mapping" in texts
    assert list(validation.problems(make_claim())) == []
    assert [problem.path for problem in validation.problems(make_claim(bar={}))] == [("bar",)]


def test_whole_numbers_are_numbers_for_options_and_bars():
    claim = make_claim(measure="stable_lr_shift", options={"ceiling": 3}, bar={"min": -1, "max": 2})
    assert validation.validate([claim]) == []


def test_planning_imports_neither_pandas_nor_scipy_nor_torch():
    code = (
        "import sys; from hypertransfer.claims import validation\n"
        "validation.validate([{'id': 'x', 'measure': 'gap_growth', 'options': {'window': 2}}])\n"
        "print([m for m in ('pandas', 'scipy', 'torch', 'pyarrow') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert out.stdout.strip() == "[]"


# Verdicts ----------------------------------------------------------------------------------


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
    found, reason = verdicts._judge(bar, Measured(1.0, low, high, 3), "octaves", 3)
    assert found == verdict
    assert verdicts.bar_text(bar, "octaves") in reason


def test_flags_of_one_sided_intervals():
    assert Measured(1, 2, INF, 3).lower_bound_only
    assert Measured(1, -INF, 2, 3).upper_bound_only
    both = [Measured(1, -INF, INF, 3), Measured(1, 0, 2, 3), Measured(INF, INF, INF, 3)]
    assert not any(m.lower_bound_only or m.upper_bound_only for m in both)


def test_bars_in_words():
    assert verdicts.bar_text({"max": 1}, "octaves") == "≤ 1 octave"
    assert verdicts.bar_text({"min": 2}, "octaves") == "≥ 2 octaves"
    assert verdicts.bar_text({"min": 0.5, "max": 2}) == "0.5 to 2"


def test_a_true_claim_holds_and_a_false_one_fails():
    tables = make_tables()
    true = verdicts.check(make_claim(), tables)
    assert (true.verdict, true.seeds, true.bar) == ("holds", 5, "≤ 1 octave")
    assert true.value == pytest.approx(0.2, abs=0.1)
    assert 0 < true.low < true.value < true.high < 1
    false = verdicts.check(make_claim(where=SP), tables)
    assert false.verdict == "fails"
    assert false.value == pytest.approx(5, abs=0.1)


def test_a_claim_at_its_bar_is_undecided():
    tables = {"runs": make_runs((0.0, 0.5, 1.0), noise=0.1)}
    verdict = verdicts.check(make_claim(where={}), tables)
    assert verdict.verdict == "undecided"
    assert "on both sides of the bar ≤ 1 octave" in verdict.reason


def test_too_few_seeds_leave_a_claim_undecided():
    tables = {"runs": make_runs((0.1, 0.2, 0.3), seeds=2)}
    verdict = verdicts.check(make_claim(where={}), tables)
    assert (verdict.verdict, verdict.reason) == ("undecided", "2 seeds ran, and 3 are asked for")
    assert verdicts.check(make_claim(where={}, min_seeds=2), tables).verdict == "holds"


def test_seeds_that_not_all_sizes_have_do_not_count():
    runs = make_runs((0.1, 0.2, 0.3))
    runs = runs[(runs["shape.width"] < 256) | (runs["seed"] < 2)]
    assert verdicts.check(make_claim(where={}), {"runs": runs}).seeds == 2
    verdict = verdicts.check(make_claim(where={}, min_seeds=2), {"runs": runs})
    assert "3 seeds are left out" in verdict.reason


def edge_tables():
    """SP's optimum at width 256 lies 2 octaves below the lowest learning rate tried."""
    return {"runs": make_runs((0.1, -2.4, -4.9), log2_lrs=range(-3, 3))}


def test_an_optimum_on_the_edge_decides_what_one_side_is_enough_for():
    moved = verdicts.check(make_claim(where={}, bar={"min": 2}), edge_tables())
    assert (moved.verdict, moved.high) == ("holds", INF)
    assert 2.4 < moved.low < 2.7  # from 0.1 to no higher than half a step above 2^-3
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
    assert (verdict.verdict, verdict.low) == ("holds", -INF)
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
    assert (verdict.low, verdict.high) == (0, pytest.approx(0.9))
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
    assert "grid step only: a neighbour diverged, or is as good (seeds: 1 of 5)" in verdict.reason


def test_a_control_must_hold_for_a_claim_to_have_power():
    control = {"measure": "optimum_shift", "where": SP, "bar": {"min": 2}}
    assert verdicts.check(make_claim(control=control), make_tables()).verdict == "holds"
    weak = {**control, "bar": {"min": 6}}
    verdict = verdicts.check(make_claim(control=weak), make_tables())
    assert verdict.verdict == "undecided"
    assert "the control does not hold" in verdict.reason
    assert "≥ 6 octaves fails" in verdict.reason
    assert verdict.high < 1  # the claim's own numbers are kept
    few = verdicts.check(make_claim(control=control), make_tables(seeds=2))
    assert (few.verdict, "2 seeds ran" in few.reason) == ("undecided", True)


def test_one_size_alone_is_undecided():
    tables = make_tables()
    for name in ("optimum_shift", "transfer_regret_sigma", "stable_lr_shift"):
        claim = make_claim(measure=name, where={"parameterisation": "mup", "shape.width": 64})
        verdict = verdicts.check(claim, tables)
        assert verdict.verdict == "undecided"
        assert "only one shape.width was selected (64)" in verdict.reason


# Measures ----------------------------------------------------------------------------------


def measured(name, tables, where=None, **options):
    claim = make_claim(measure=name, where=where or {}, options=options)
    return verdicts.check(claim, tables)


def test_optimum_slope_is_signed_and_per_doubling():
    assert measured("optimum_slope", make_tables(), SP).value == pytest.approx(-1.25, abs=0.05)


def test_another_loss_may_be_asked_for():
    runs = make_runs((0.1, 0.1, 0.1))
    runs["eval_loss"] = make_runs((0.1, -0.9, -1.9))["final_loss"]
    assert measured("optimum_shift", {"runs": runs}, loss="eval_loss").value > 1.9


def test_diverged_runs_count_as_infinite_in_every_loss():
    runs = make_runs((0.1, 0.1, 0.1))
    runs.loc[runs["status"] == "diverged", "eval_loss"] = math.nan
    assert measured("stable_lr_shift", {"runs": runs}, loss="eval_loss").value == 0


def test_stable_lr_shift_is_known_to_a_grid_step():
    # The largest stable power of two lies below vertex + 3.5, cut off at 2^2.
    runs = make_runs((-2.2, -4.7), widths=(16, 256), noise=0)
    found = measured("stable_lr_shift", {"runs": runs}, signed=True)
    assert (found.value, found.low, found.high) == (-3, -4, -2)
    found = measured("stable_lr_shift", {"runs": make_runs((0.1, -4.7), widths=(16, 256))})
    assert found.high == INF
    assert "the largest value tried is stable" in found.reason
    found = measured("stable_lr_shift", {"runs": runs}, signed=True, ceiling=0.6)
    assert (found.value, found.low, found.high) == pytest.approx((-2, -3, -1))


def test_the_weight_decay_may_be_what_was_swept():
    runs = make_runs((0.1, 0.2, 0.3)).rename(columns={"lr": "weight_decay"}).assign(lr=0.5)
    shift = measured("optimum_shift", {"runs": runs}, axis="weight_decay")
    assert shift.value == pytest.approx(0.2, abs=0.05)
    stable = measured("stable_lr_shift", {"runs": runs}, axis="weight_decay", ceiling=0.6)
    assert (stable.value, stable.low) == (0, 0)


def lines(places):
    """Losses along a line for two targets whose least lies at the given places, seed by seed."""
    rows = [
        (target, seed, point, abs(point - place))
        for target, per_seed in places.items()
        for seed, place in enumerate(per_seed)
        for point in (-0.5, 0.0, 0.5, 1.0)
    ]
    runs = pd.DataFrame(rows, columns=["target", "seed", "place", "final_loss"])
    keys = [f"line-{i}" for i in range(len(runs))]
    return runs.assign(key=keys, status="finished", parameterisation="mup")


def test_the_least_of_a_line_moves_between_targets():
    runs = lines({"same": (0.5, 0.5, 0.5), "wider": (1.0, 1.0, 1.0)})
    found = measured("minimum_shift", {"runs": runs})
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    runs = lines({"same": (0.5, 0.5, 0.5), "wider": (0.5, 0.5, 0.0)})
    found = measured("minimum_shift", {"runs": runs})
    assert (found.value, found.low, found.high) == (0, 0, 0.5)


def test_the_least_of_a_line_needs_two_targets():
    with pytest.raises(ClaimError, match="two target or more with the same seeds"):
        measured("minimum_shift", {"runs": lines({"same": (0.5, 0.5, 0.5)})})


def test_regret_in_loss_and_in_seed_deviations():
    runs = make_runs((0.0, -1.0, -2.0), noise=0)
    runs["final_loss"] += runs["seed"] * 0.01
    in_loss = measured("transfer_regret", {"runs": runs})
    assert in_loss.value == pytest.approx(0.4)
    sigma = np.std(np.arange(5) * 0.01, ddof=1)
    in_sigma = measured("transfer_regret_sigma", {"runs": runs})
    assert in_sigma.value == pytest.approx(0.4 / sigma)
    assert (in_loss.unit, in_sigma.unit) == ("loss", "seed σ")


def test_infinite_regret_fails_a_bar_and_is_told():
    runs = make_runs((0.1, -2.4, -4.9))
    verdict = measured("transfer_regret", {"runs": runs})
    assert (verdict.verdict, verdict.value) == ("fails", INF)
    assert verdict.reason.startswith("infinite over 5 seeds, all of it violates")
    assert "at shape.width 256 the best learning rate of shape.width 16 diverges" in verdict.reason


def test_sharpness_spread_over_the_last_third():
    tables = make_paths("scaled_sharpness", lambda w, s, t: (1 + w / 256) * (1 + 0.01 * s))
    found = measured("sharpness_spread", tables)
    assert found.value == pytest.approx(2 / (1 + 1 / 16))
    assert found.low == pytest.approx(found.high)
    claim = make_claim(measure="sharpness_spread", where={}, bar={"max": 1.3})
    assert verdicts.check(claim, tables).verdict == "fails"


def test_the_tail_of_the_spread_is_an_option():
    tables = make_paths("trace", lambda w, s, t: w if t < 50 else 1.0)
    assert measured("sharpness_spread", tables, quantity="trace").value == 1
    assert measured("sharpness_spread", tables, quantity="trace", tail=0.9).value > 2


def test_the_interval_repeats_with_the_seed_of_the_generator():
    tables = {"runs": make_runs((0.1, 0.2, 0.3), seeds=9, noise=0.2)}
    first, again, other = (verdicts.check(make_claim(where={}), tables, seed=s) for s in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_a_diverged_run_leaves_the_spread_open():
    tables = make_paths("scaled_sharpness", lambda w, s, t: 1.0)
    tables["runs"].loc[0, "status"] = "diverged"
    verdict = measured("sharpness_spread", tables)
    assert (verdict.verdict, verdict.high) == ("undecided", INF)
    assert "1 of 12 runs diverged" in verdict.reason


@pytest.mark.parametrize("quantity", ["train_loss", "scaled_sharpness", "trace"])
def test_gap_growth_of_a_known_power_law(quantity):
    def law(width, seed, step):
        return 3 + (seed - 1.6) * (step**0.8) / width * (width < 256)

    tables = make_paths(quantity, law, "history" if quantity == "train_loss" else "probes")
    found = measured("gap_growth", tables, quantity=quantity, window=1)
    assert found.value == pytest.approx(0.8)
    assert found.low == pytest.approx(0.8) == found.high


def test_relative_and_systematic_gaps():
    def law(width, seed, step):
        gap = (width < 256) * (step + 1) ** 0.8 / width
        return (1 + gap + 50 * (seed - 1.5) * (width < 256)) * (step + 1) ** -0.5

    tables = make_paths("train_loss", law, "history", steps=range(0, 2000, 10))
    options = {"quantity": "train_loss", "window": 1}
    found = measured("gap_growth", tables, relative=True, systematic=True, **options)
    assert found.value == pytest.approx(0.8, abs=0.01)
    assert measured("gap_growth", tables, systematic=True, **options).value < 0.4
    assert measured("gap_growth", tables, relative=True, **options).value < 0.4


def test_too_short_a_trajectory_is_undecided_and_says_so():
    tables = make_paths("trace", lambda w, s, t: float(w + t), steps=[0, 50, 100])
    verdict = measured("gap_growth", tables, quantity="trace")
    assert verdict.verdict == "undecided"
    assert "1 points in time are left" in verdict.reason


def test_zero_gaps_are_told():
    tables = make_paths("trace", lambda w, s, t: 1.0 if t == 50 else 1.0 + t / w)
    assert "gaps are exactly zero" in measured(
        "gap_growth", tables, quantity="trace", window=1
    ).reason  # fmt: skip


def test_several_probes_must_be_told_apart():
    tables = make_paths("trace", lambda w, s, t: 1.0 + w)
    other = tables["probes"].assign(probe="cheap", trace=2.0)
    tables["probes"] = pd.concat([tables["probes"], other])
    with pytest.raises(ClaimError, match="name one as the option `probe`; known: cheap, hessian"):
        measured("sharpness_spread", tables, quantity="trace")
    found = measured("sharpness_spread", tables, quantity="trace", probe="hessian")
    assert found.value > 10
    with pytest.raises(ClaimError, match="no probe 'x' with trace; probes with it: cheap, hessian"):
        measured("sharpness_spread", tables, quantity="trace", probe="x")


def test_a_run_in_two_grids_is_one_run_with_the_rows_of_one_grid():
    tables = make_paths("trace", lambda w, s, t: 1.0 + w)
    twice = {name: pd.concat([t, t.assign(grid="again")]) for name, t in tables.items()}
    assert measured("sharpness_spread", twice, quantity="trace") == measured(
        "sharpness_spread", tables, quantity="trace"
    )


# Selection and errors ----------------------------------------------------------------------


def test_where_takes_values_lists_and_bounds():
    tables = make_tables()
    narrow = {**SP, "shape.width": [16, 64], "lr": {"min": 2**-5}}
    assert verdicts.check(make_claim(where=narrow), tables).value == pytest.approx(2.5, abs=0.1)


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
        ({"control": {"measure": "optimum_shift", "where": {"x": 1}, "bar": {"min": 2}}},
         r"\(control\): the table 'runs' has no column 'x'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_an_error_that_names_the_claim(changes, words):
    with pytest.raises(ClaimError, match=rf"^claim 'mup-width'.*{words}"):
        verdicts.check(make_claim(**changes), make_tables())


def test_a_missing_or_empty_table_is_told():
    with pytest.raises(ClaimError, match="table 'runs' is needed"):
        verdicts.check(make_claim(), {})
    with pytest.raises(ClaimError, match="is empty"):
        verdicts.check(make_claim(), {"runs": make_tables()["runs"].iloc[:0]})


# Scorecard ---------------------------------------------------------------------------------


def card(*entries, tables=None):
    tables = tables or make_tables()
    return verdicts.scorecard(entries, tables, study="s", scale="desk", edition="1")


DOCUMENTED = (
    "study", "claim", "sentence", "source", "paper_value", "value", "low", "high", "bar",
    "verdict", "confidence", "scale", "edition", "reason", "unit",
)  # fmt: skip


def test_a_scorecard_has_a_row_a_claim_and_the_documented_columns():
    two = card(make_claim(paper_value="≤ 1"), make_claim(id="sp", where=SP, bar={"min": 2}))
    assert tuple(two.columns) == DOCUMENTED
    assert two["claim"].tolist() == ["mup-width", "sp"]
    assert two["verdict"].tolist() == ["holds", "holds"]
    assert two.iloc[0][["study", "scale", "edition", "unit"]].tolist() == [
        "s", "desk", "1", "octaves",
    ]  # fmt: skip
    assert two["paper_value"].isna().tolist() == [False, True]
    assert two.dtypes[["value", "low", "high"]].eq(float).all()


def test_an_empty_scorecard_has_the_same_columns_and_types():
    pd.testing.assert_series_equal(card().dtypes, card(make_claim()).dtypes)


def test_a_scorecard_tells_all_claims_that_cannot_be_measured():
    with pytest.raises(ClaimError) as caught:
        card(make_claim(where={"x": 1}), make_claim(), make_claim(id="b", where={"y": 1}))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "claim 'mup-width'", "claim 'b'",
    ]  # fmt: skip


def test_a_scorecard_leaves_its_inputs_alone_and_repeats_itself():
    tables, claim = make_tables(), make_claim()
    before = {name: table.copy() for name, table in tables.items()}, copy.deepcopy(claim)
    first = card(claim, tables=tables)
    pd.testing.assert_frame_equal(first, card(claim, tables=tables))
    pd.testing.assert_frame_equal(tables["runs"], before[0]["runs"])
    assert claim == before[1]


# Advantage -----------------------------------------------------------------------------------


def make_arms(gain=0.1, seeds=5, lrs=(0.5,)):
    """Two arms whose losses share a seed's noise; the first ends lower by `gain`."""
    noise = np.random.default_rng(0).normal(0, 1.0, seeds)
    rows = [
        {"arm": arm, "seed": seed, "lr": lr, "status": "finished", "grid": "g",
         "final_loss": 3 + wobble - (gain if arm == "a" else 0) + abs(lr - 0.5),
         "key": f"{arm}{seed}{lr}"}
        for arm in "ab" for seed, wobble in enumerate(noise) for lr in lrs
    ]  # fmt: skip
    return {"runs": pd.DataFrame(rows)}


def advantage(tables, **options):
    options = {"column": "arm", "of": "a", "over": "b", **options}
    return measures()["advantage"].function(tables, 0, **options)


def test_an_advantage_is_paired_over_seeds():
    found = advantage(make_arms(0.1))
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert advantage(make_arms(0.1), of="b", over="a").value == pytest.approx(-0.1)


def test_of_several_learning_rates_each_arm_takes_its_best_if_told_to():
    tables = make_arms(0.1, lrs=(0.25, 0.5, 1.0))
    with pytest.raises(ClaimError, match="set `best: true`"):
        advantage(tables)
    assert advantage(tables, best=True).value == pytest.approx(0.1)


def test_an_arm_that_is_not_there_is_named():
    with pytest.raises(ClaimError, match="no run has arm c; there is a, b"):
        advantage(make_arms(), of="c")


def test_an_arm_that_diverged_is_infinitely_worse():
    tables = make_arms()
    gone = (tables["runs"]["arm"] == "b") & (tables["runs"]["seed"] == 1)
    tables["runs"].loc[gone, ["status", "final_loss"]] = ["diverged", INF]
    assert advantage(tables).value == INF


def make_rivals(losses, sizes=(32,), lrs=(0.5,), **columns):
    """Runs of arms whose loss is `losses[arm](size, lr)` plus a hundredth of the seed."""
    rows = [
        (arm, size, lr, seed, loss(size, lr) + seed / 100)
        for arm, loss in losses.items()
        for size in sizes
        for lr in lrs
        for seed in range(3)
    ]
    runs = pd.DataFrame(rows, columns=["optimizer", "shape.width", "lr", "seed", "final_loss"])
    keys = [f"arm-{i}" for i in range(len(runs))]
    return runs.assign(grid="arms", key=keys, status="finished", eval_loss=1.0, **columns)


ARMS = {"lion": lambda w, lr: 3.0, "adamw": lambda w, lr: 2.0, "sophia": lambda w, lr: 2.5}


def test_an_advantage_over_all_is_over_the_best_of_them():
    found = measured("advantage", {"runs": make_rivals(ARMS)}, column="optimizer", of="adamw")
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    found = measured("advantage", {"runs": make_rivals(ARMS)}, column="optimizer", of="sophia")
    assert found.value == pytest.approx(-0.5)


def test_an_arm_tuned_at_the_smallest_size_is_judged_at_the_largest():
    # Lion's best is at 0.5 for width 32; at 128, where 1 would be better, it has to stay.
    losses = {
        "lion": lambda w, lr: {(32, 0.5): 1.0, (32, 1): 2.0, (128, 0.5): 1.5, (128, 1): 0.1}[w, lr],
        "adamw": lambda w, lr: {(32, 0.5): 2.0, (32, 1): 1.0, (128, 0.5): 0.1, (128, 1): 1.2}[
            w, lr
        ],
    }
    runs = make_rivals(losses, sizes=(32, 128), lrs=(0.5, 1.0))
    options = {"column": "optimizer", "tuned_at": "shape.width"}
    found = measured("advantage", {"runs": runs}, of="adamw", **options)
    assert found.value == pytest.approx(0.3)
    spread = measured("arms_range", {"runs": runs}, **options)
    assert spread.value == pytest.approx(100 * 0.3 / 1.36)
    gone = runs[~((runs["shape.width"] == 128) & (runs["lr"] == 0.5))]
    found = measured("advantage", {"runs": gone}, of="adamw", **options)
    assert found.verdict == "undecided"
    assert "lion: shape.width 128 was not run at lr 0.5, the best of 32" in found.reason


def test_the_rise_of_the_loss_with_a_size_is_compared_at_each_ones_best():
    losses = {
        "lion": lambda w, lr: {(32, 0.5): 1.0, (32, 1): 2.0, (128, 0.5): 3.0, (128, 1): 1.2}[w, lr],
        "adamw": lambda w, lr: {(32, 0.5): 2.0, (32, 1): 0.9, (128, 0.5): 1.4, (128, 1): 2.0}[
            w, lr
        ],
    }
    runs = make_rivals(losses, sizes=(32, 128), lrs=(0.5, 1.0))
    found = measured("rise_advantage", {"runs": runs}, column="optimizer", of="lion", over="adamw")
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.3, 0.3))
    narrow = runs[runs["shape.width"] == 32]
    with pytest.raises(ClaimError, match=r"two shape\.width or more"):
        measured("rise_advantage", {"runs": narrow}, column="optimizer", of="lion", over="adamw")


def test_the_share_of_unclipped_entries_is_read_from_the_history():
    runs, history = make_paths("unclipped_share", lambda w, s, t: 8.0 / w, "history").values()
    found = measured(
        "size_exponent", {"runs": runs, "history": history}, quantity="unclipped_share"
    )
    assert found.value == pytest.approx(-1)


def test_an_advantage_in_what_was_measured_where_more_is_better():
    runs = make_rivals(ARMS)
    accuracy = {"lion": 0.7, "adamw": 0.6, "sophia": 0.5}
    probes = pd.DataFrame({
        "grid": "arms", "key": list(runs["key"]) * 2, "probe": "downstream",
        "step": [0] * len(runs) + [10] * len(runs),
        "party_accuracy": [0.5] * len(runs) + [accuracy[name] for name in runs["optimizer"]],
    })  # fmt: skip
    found = measured(
        "advantage", {"runs": runs, "probes": probes}, column="optimizer", of="lion",
        loss="party_accuracy", higher=True,
    )  # fmt: skip
    assert found.value == pytest.approx(0.1)


@pytest.mark.parametrize("value", [True, False, {"a": 1}])
def test_conditions_find_what_tables_hold_as_text(value):
    held = parquet.axis_column([value, "other"]).to_pylist()[0]
    assert conditions.matches({"axis": value}, {"axis": held}) is True
    assert conditions.matches({"axis": [value, 3]}, {"axis": held}) is True
    assert conditions.matches({"axis": value}, {"axis": "other"}) is False


def test_conditions_do_not_take_text_for_numbers_nor_one_flag_for_the_other():
    assert conditions.matches({"axis": True}, {"axis": "false"}) is False
    assert conditions.matches({"axis": 1}, {"axis": "1"}) is False
