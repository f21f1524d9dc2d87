"""Measures of arms on tables whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.arms import arm, history, raced, tables
from tests.support.claims import INF
from tests.support.claims import measured as judged
from tests.support.sweeps import parts

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.claims import validation
from hypertransfer.claims.families import measures
from hypertransfer.claims.measure import ClaimError

SEEDED = settings(derandomize=True, deadline=None)


def measured(name, given, **options):
    return measures()[name].function(given, LEVEL, **options)


def test_one_arm_over_another_at_the_best_rate_of_each():
    given = tables(arm("muon", [3, 2, 4]), arm("adamw", [8, 9, 5]))
    found = measured("arms_ratio", given, of="muon", over="adamw", column="optimizer", best=True)
    assert (found.value, found.low, found.high, found.count) == (0.4, 0.4, 0.4, 3)


@SEEDED
@given(gain=st.floats(-1, 1))
def test_perplexity_is_the_exponential_of_the_loss(gain):
    given = tables(arm("muon", [2 - gain], lrs=[1.0]), arm("adamw", [2.0], lrs=[1.0]))
    found = measured("perplexity_gain", given, of="muon", over="adamw", column="optimizer")
    assert found.value == pytest.approx(100 * (1 - math.exp(-gain)))


@SEEDED
@given(a=st.floats(-1, 1), b=st.floats(-1, 1), more=st.floats(-1, 1))
def test_gains_that_multiply_do_not_interact(a, b, more):
    arms = {"base": 3.0, "first": 3 - a, "second": 3 - b, "both": 3 - a - b - more}
    given = tables(*(arm(name, [loss], lrs=[1.0]) for name, loss in arms.items()))
    found = measured("interaction", given, base="base", single="first, second", joint="both",
                     column="optimizer")  # fmt: skip
    assert found.value == pytest.approx(more, abs=1e-12)


@pytest.mark.parametrize(
    "name", ["arms_ratio", "perplexity_gain", "diverged_advantage", "lr_span_advantage"]
)
def test_an_arm_that_is_not_there_is_named(name):
    with pytest.raises(AnalysisError, match=r"no run has optimizer lion; known: adamw, muon"):
        measured(name, tables(arm("muon", [1, 1, 1]), arm("adamw", [1, 1, 1])), of="lion",
                 over="muon", column="optimizer")  # fmt: skip


def test_other_numbers_are_compared_at_the_rate_that_is_best_for_the_loss():
    """Not at the rate where they are least themselves: here 9 and 5, at lr 0.5."""
    arms = [
        arm(name, [3, 2, 4]).assign(eval_loss=lambda t, at=at: t["lr"].map(dict(zip(
            (0.25, 0.5, 1.0), at, strict=True))))
        for name, at in (("muon", (1.0, 5.0, 1.0)), ("adamw", (2.0, 9.0, 2.0)))
    ]  # fmt: skip
    found = measured("advantage", tables(*arms), of="muon", over="adamw", column="optimizer",
                     loss="eval_loss", best=True)  # fmt: skip
    assert found.value == 4.0


# Stability ----------------------------------------------------------------------------------


def test_the_share_of_runs_that_diverged():
    given = tables(arm("muon", [1, 2, math.inf]), arm("adamw", [1, math.inf, math.inf]))
    found = measured("diverged_advantage", given, of="muon", over="adamw")
    assert found.value == pytest.approx(100 / 3)


def test_equal_counts_in_all_seeds_leave_an_interval():
    """Of nine pairs, three diverged under adamw alone: Clopper and Pearson at 97.5 % each."""
    given = tables(arm("muon", [1, 2, math.inf]), arm("adamw", [1, math.inf, math.inf]))
    found = measured("diverged_advantage", given, of="muon", over="adamw")
    assert found.low < 0 < found.value < found.high < 100


def test_arms_without_a_common_learning_rate_are_not_compared():
    given = tables(arm("muon", [1, math.inf], lrs=[1, 2]), arm("adamw", [1, 2], lrs=[4, 8]))
    found = measured("diverged_advantage", given, of="muon", over="adamw")
    assert math.isnan(found.value)
    assert found.caveat == "no value of lr was run by every seed of both arms"


def test_where_no_run_diverged_nothing_is_told():
    found = measured("diverged_advantage", tables(arm("muon", [1, 2, 3]), arm("adamw", [1, 2, 3])),
                     of="muon", over="adamw")  # fmt: skip
    assert math.isnan(found.value)
    assert "no run of either diverged" in found.caveat


def test_spans_are_compared():
    given = tables(arm("muon", [0.4, 0.0, 0.4]), arm("adamw", [0.8, 0.0, 0.8]))
    found = measured("lr_span_advantage", given, of="muon", over="adamw", margin=0.2)
    assert found.value == pytest.approx(0.5)


# Steps to a target --------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1.25, 2.0, 4.0])
def test_an_arm_of_twice_the_speed_needs_half_the_steps(speed):
    found = measured("steps_ratio", raced(speed), of="muon", over="adamw")
    assert found.value == pytest.approx(1 / speed, abs=0.011)


def test_an_arm_that_never_gets_there_has_no_ratio():
    found = measured("steps_ratio", raced(0.5), of="muon", over="adamw")
    assert found.value == math.inf


def test_shorter_runs_that_end_at_the_target():
    shorter = [arm("muon", [4 - math.log2(n)], lrs=[1.0], steps=n) for n in (2, 4, 8)]
    given = tables(*shorter, arm("adamw", [1.5], lrs=[1.0], steps=8))
    found = measured("horizon_ratio", given, of="muon", over="adamw")
    assert found.value == pytest.approx(2**2.5 / 8)


def test_horizons_that_do_not_bracket_the_target_leave_the_ratio_open():
    def found(target):
        shorter = [arm("muon", [4 - math.log2(n)], lrs=[1.0], steps=n) for n in (2, 4, 8)]
        given = tables(*shorter, arm("adamw", [target], lrs=[1.0], steps=8))
        return measured("horizon_ratio", given, of="muon", over="adamw")

    assert (found(3.5).low, found(3.5).high) == (0.0, 0.25)
    assert (found(0.5).low, found(0.5).high) == (1.0, math.inf)


def test_the_factor_over_batch_sizes():
    parts = [raced(speed, batch_size=size) for speed, size in ((2.0, 4), (4.0, 16))]
    given = {name: pd.concat([part[name] for part in parts]) for name in ("runs", "history")}
    given["runs"] = given["runs"].assign(
        key=given["runs"]["key"] + given["runs"]["batch_size"].astype(str))  # fmt: skip
    keys = [
        part["history"].assign(key=part["history"]["key"] + str(size))
        for part, size in zip(parts, (4, 16), strict=True)
    ]
    given["history"] = pd.concat(keys)
    found = measured("steps_ratio_slope", given, of="muon", over="adamw")
    assert found.value == pytest.approx(0.5, abs=0.08)  # an octave in two doublings, less the lag


def test_the_measures_of_arms_can_be_named_in_claims():
    claim = {"id": "x", "sentence": "x", "source": "x", "kind": "ours",
             "confidence": "low", "bar_from": "ours", "bar": {"max": 1},
             "measure": "horizon_ratio", "where": {},
             "options": {"of": "a", "over": "b"}}  # fmt: skip
    assert not validation.validate([claim])


def uneven(kept, noise=0.05):
    """Two batch sizes and five seeds; an arm of `kept` has only so many of them."""
    rng, parts = np.random.default_rng(0), []
    for size, speed in ((4, 2.0), (16, 3.0)):
        rate = {"muon": speed, "adamw": 1.0}
        runs = [
            arm(name, [3.0, 3 - rate[name] * 0.95, INF], lrs=[0.5, 1.0, 2.0], seeds=5, steps=100,
                batch_size=size)
            for name in rate
        ]  # fmt: skip
        runs = tables(*runs)["runs"]
        factor = dict(zip(runs["key"], 1 + noise * rng.normal(size=len(runs)), strict=True))
        lines = history(runs, lambda o, n, t, rate=rate: -rate[o] * t / n)
        lines["train_loss"] = 3 + lines["train_loss"] * lines["key"].map(factor)
        runs["final_loss"] = 3 + (runs["final_loss"] - 3) * runs["key"].map(factor)
        parts.append({"runs": runs, "history": lines})
    runs = pd.concat([part["runs"] for part in parts], ignore_index=True)
    runs["status"] = runs["status"].mask(
        (runs["lr"] == 0.5) & (runs["seed"] == 1) & (runs["optimizer"] == "adamw"), "diverged"
    )
    limits = runs["optimizer"].map({"muon": 5, "adamw": 5, **kept})
    return {
        "runs": runs[runs["seed"] < limits],
        "history": pd.concat([part["history"] for part in parts]),
    }


ARM_MEASURES = {
    "advantage": {"best": True},
    "rise_advantage": {"size": "batch_size"},
    "arms_range": {"best": True},
    "arms_ratio": {"best": True},
    "perplexity_gain": {"best": True},
    "interaction": {"base": "adamw", "joint": "muon", "single": "muon"},
    "diverged_advantage": {},
    "lr_span_advantage": {},
    "steps_ratio": {},
    "steps_ratio_slope": {"size": "batch_size"},
    "horizon_ratio": {},
}  # fmt: skip


def test_every_measure_of_arms_is_tried_with_uneven_seeds():
    own = {name for name, m in measures().items() if m.function.__module__.endswith("arm_measures")}
    assert own == set(ARM_MEASURES)


@pytest.mark.parametrize("name", ARM_MEASURES)
@pytest.mark.parametrize("fewer", ["muon", "adamw"])
def test_seeds_that_one_arm_lacks_are_left_out_of_both(name, fewer):
    """The estimate is that of the common seeds, with a note on the others."""
    options = {"column": "optimizer", **ARM_MEASURES[name]}
    if "base" not in options and name != "arms_range":
        options |= {"of": "muon", "over": "adamw"}

    def found(given):
        if "size" not in options:
            given = {**given, "runs": given["runs"].query("batch_size == 4")}
        return measured(name, given, **options)

    some, both = found(uneven({fewer: 3})), found(uneven({"muon": 3, "adamw": 3}))
    assert parts(some) == pytest.approx(parts(both), nan_ok=True)
    assert (some.count, some.left_out) == (3, 2)
    assert some.caveat.startswith("2 seeds are left out, not every optimizer")
    assert (both.count, both.left_out, both.caveat) == (3, 0, "")


# Advantages --------------------------------------------------------------------------------------


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
    return measures()["advantage"].function(tables, LEVEL, **options)


def test_an_advantage_is_paired_over_seeds():
    found = advantage(make_arms(0.1))
    assert parts(found) == pytest.approx((0.1, 0.1, 0.1))
    assert advantage(make_arms(0.1), of="b", over="a").value == pytest.approx(-0.1)


def test_of_several_learning_rates_each_arm_takes_its_best_if_told_to():
    tables = make_arms(0.1, lrs=(0.25, 0.5, 1.0))
    with pytest.raises(AnalysisError, match="set `best: true`"):
        advantage(tables)
    assert advantage(tables, best=True).value == pytest.approx(0.1)


def test_an_arm_without_runs_is_named():
    with pytest.raises(AnalysisError, match="no run has arm c; known: a, b"):
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
    found = judged("advantage", {"runs": make_rivals(ARMS)}, column="optimizer", of="adamw")
    assert parts(found.estimate) == pytest.approx((0.5, 0.5, 0.5))
    found = judged("advantage", {"runs": make_rivals(ARMS)}, column="optimizer", of="sophia")
    assert found.estimate.value == pytest.approx(-0.5)


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
    found = judged("advantage", {"runs": runs}, of="adamw", **options)
    assert found.estimate.value == pytest.approx(0.3)
    spread = judged("arms_range", {"runs": runs}, **options)
    assert spread.estimate.value == pytest.approx(100 * 0.3 / 1.36)
    gone = runs[~((runs["shape.width"] == 128) & (runs["lr"] == 0.5))]
    found = judged("advantage", {"runs": gone}, of="adamw", **options)
    assert found.verdict == "undecided"
    assert "lion: shape.width 128 was not run at lr 0.5, the best of 32" in found.reason
    found = judged("advantage", {"runs": runs[runs["shape.width"] == 32]}, of="adamw", **options)
    assert found.verdict == "undecided"
    assert "lion: only one shape.width was selected (32)" in found.reason


def test_the_rise_of_the_loss_with_a_size_is_compared_at_each_ones_best():
    losses = {
        "lion": lambda w, lr: {(32, 0.5): 1.0, (32, 1): 2.0, (128, 0.5): 3.0, (128, 1): 1.2}[w, lr],
        "adamw": lambda w, lr: {(32, 0.5): 2.0, (32, 1): 0.9, (128, 0.5): 1.4, (128, 1): 2.0}[
            w, lr
        ],
    }
    runs = make_rivals(losses, sizes=(32, 128), lrs=(0.5, 1.0))
    found = judged("rise_advantage", {"runs": runs}, column="optimizer", of="lion", over="adamw")
    assert parts(found.estimate) == pytest.approx((0.3, 0.3, 0.3))
    narrow = runs[runs["shape.width"] == 32]
    with pytest.raises(ClaimError, match=r"two or more values of shape\.width"):
        judged("rise_advantage", {"runs": narrow}, column="optimizer", of="lion", over="adamw")


def test_an_advantage_in_what_was_measured_where_more_is_better():
    runs = make_rivals(ARMS)
    accuracy = {"lion": 0.7, "adamw": 0.6, "sophia": 0.5}
    probes = pd.DataFrame({
        "grid": "arms", "key": list(runs["key"]) * 2, "probe": "downstream",
        "step": [0] * len(runs) + [10] * len(runs),
        "party_accuracy": [0.5] * len(runs) + [accuracy[name] for name in runs["optimizer"]],
    })  # fmt: skip
    found = judged(
        "advantage", {"runs": runs, "probes": probes}, column="optimizer", of="lion",
        loss="party_accuracy", higher=True,
    )  # fmt: skip
    assert found.estimate.value == pytest.approx(0.1)
