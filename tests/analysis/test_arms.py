"""Arms: names, best learning rates, differences, races and frontiers in closed form."""

import math

import numpy as np
import pandas as pd
import pytest
from tests.support.arms import arm, raced, tables
from tests.support.sweeps import rows, runs_table

from hypertransfer.analysis import arms
from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.tables import unique_runs


def test_arms_are_named_as_configs_spell_them():
    runs = pd.DataFrame({"steps": [0, 5], "decay": [0.1, 0.0], "flag": ["true", "false"]})
    assert list(arms.named(runs, "steps")["steps"]) == ["0", "5"]
    assert list(arms.named(runs, "decay")["decay"]) == ["0.1", "0"]
    assert list(arms.named(runs, "flag")["flag"]) == ["true", "false"]


def test_the_best_rate_is_raced():
    curve = arms.best_curve(raced(2.0), raced(2.0)["runs"].query("optimizer=='muon'"))
    assert curve.steps[0] == pytest.approx(5 / 95 * 100)
    assert curve.steps[-1] == 100
    assert curve.losses.shape == (3, len(curve.steps))
    assert curve.losses[0, -1] == pytest.approx(3 - 2 * 0.955, abs=0.02)


def test_a_curve_of_a_run_that_stands_in_two_grids_is_that_of_one():
    single = raced(2.0)
    both = {
        name: pd.concat([table.assign(grid="a"), table.assign(grid="b")], ignore_index=True)
        for name, table in single.items()
    }
    once, twice = (
        arms.best_curve(found, unique_runs(found).query("optimizer=='muon'"))
        for found in (single, both)
    )
    assert twice.steps.tolist() == once.steps.tolist()
    assert twice.losses == pytest.approx(once.losses)


def test_each_arm_is_taken_at_its_own_best_learning_rate():
    runs = tables(arm("muon", [3, 2, math.inf]), arm("adamw", [8, 9, 5]))["runs"]
    assert arms.losses_at_best(runs, "optimizer").to_dict() == {"muon": 2.0, "adamw": 5.0}
    kept = arms.at_best(runs, "optimizer")
    assert kept.groupby("optimizer")["lr"].unique().map(list).to_dict() == {
        "muon": [0.5],
        "adamw": [1.0],
    }


def test_the_lead_is_over_the_best_of_the_others():
    losses = {"a": [1.0] * 3, "b": [1.5] * 3, "c": [4.0] * 3}
    losses = {name: np.array(values) for name, values in losses.items()}
    assert arms.lead("a")(losses).value == 0.5
    gone = np.full(3, math.inf)
    assert arms.lead("a")({**losses, "a": gone}).value == -math.inf
    assert math.isnan(arms.lead("a")({"a": gone, "b": gone}).value)


def test_a_comparison_is_paired_over_seeds():
    noisy = [
        arm(name, [loss], lrs=[1.0]).assign(
            final_loss=lambda t: t["final_loss"] + t["seed"] ** 2 / 10
        )
        for name, loss in (("muon", 1.0), ("adamw", 3.0))
    ]
    runs = tables(*noisy)["runs"]
    found = arms.compare(
        runs, "optimizer", arms.of_means(lambda losses: losses["adamw"] - losses["muon"])
    )
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.count == 3


def test_a_comparison_needs_two_arms_and_one_learning_rate():
    with pytest.raises(AnalysisError, match="two values of optimizer"):
        arms.compare(tables(arm("muon", [1], lrs=[1.0]))["runs"], "optimizer", min)
    several = tables(arm("muon", [1, 2, 3]), arm("adamw", [1, 2, 3]))["runs"]
    with pytest.raises(AnalysisError, match="several learning rates"):
        arms.compare(several, "optimizer", min)


def test_a_whole_run_of_fewer_steps_ends_at_the_target():
    assert arms.horizon_to_loss([2, 4, 8], [3, 2, 1], 1.5).value == pytest.approx(2.5)
    assert arms.horizon_to_loss([2, 4, 8], [3, 2, 1], 0.5).high == math.inf


def test_in_a_race_an_arm_of_twice_the_speed_needs_half_the_steps():
    short = raced(2.0)
    short = {name: table.assign(key="short" + table["key"]) for name, table in short.items()}
    runs = short["runs"].query("optimizer == 'muon'")
    # Runs of half the steps, with final losses that the whole run has half-way.
    half = runs.assign(steps=50, final_loss=lambda t: (t["final_loss"] + 3) / 2)
    half = half.assign(key="half" + half["key"])
    race = arms.race(
        {**short, "runs": pd.concat([short["runs"], half])}, "muon", "adamw", "optimizer"
    )
    assert list(race.along) == ["adamw", "muon"]
    assert race.target == pytest.approx(3 - 0.955, abs=0.01)
    assert race.steps == 100
    assert race.steps_along == pytest.approx(50, abs=1.1)
    assert race.horizons["muon"].tolist() == [50, 100]
    assert race.ends["muon"][0] == pytest.approx([3 - 0.95, 3 - 1.9])
    assert race.steps_at_ends == pytest.approx(50, abs=1)


@pytest.mark.parametrize("fewer", ["muon", "adamw"])
def test_a_race_leaves_out_the_seeds_that_one_arm_lacks(fewer):
    given = raced(2.0)
    first = given["runs"]["seed"] < 2
    apart = {**given, "runs": given["runs"][first | (given["runs"]["optimizer"] != fewer)]}
    race = arms.race(apart, "muon", "adamw", "optimizer")
    assert [curve.seeds.tolist() for curve in race.along.values()] == [[0, 1], [0, 1]]
    assert [len(ends) for ends in race.ends.values()] == [2, 2]
    assert race.steps_along == pytest.approx(50, abs=1.1)


def test_a_curve_is_of_the_seeds_with_two_learning_rates():
    """Seed 0 ran one learning rate, and is left out without a shift of the others' rates."""
    given = raced(2.0)
    runs = given["runs"].query("optimizer == 'muon'")
    runs = runs[(runs["seed"] > 0) | (runs["lr"] == 0.5)]
    curve = arms.best_curve(given, runs)
    assert curve.seeds.tolist() == [1, 2]
    assert curve.losses[:, -1] == pytest.approx(3 - 2 * 0.955, abs=0.02)


def test_a_frontier_has_the_steps_and_samples_to_the_highest_final_loss():
    parts = [raced(2.0, batch_size=size) for size in (4, 16)]
    for part, size in zip(parts, (4, 16), strict=True):
        for table in part.values():
            table["key"] = table["key"] + str(size)
    given = {name: pd.concat([part[name] for part in parts]) for name in ("runs", "history")}
    points, target = arms.frontier(given, "optimizer", "batch_size")
    assert target == pytest.approx(3 - 0.955, abs=0.01)
    assert list(points.columns) == ["optimizer", "batch_size", "steps", "samples"]
    adamw = points[points["optimizer"] == "adamw"]
    assert adamw["steps"].tolist() == pytest.approx([100, 100])
    assert adamw["samples"].tolist() == pytest.approx([400, 1600])
    assert (points[points["optimizer"] == "muon"]["steps"] < 60).all()


def test_two_runs_of_an_arm_are_named_by_the_arm():
    runs = pd.DataFrame(
        [
            {"key": f"{arm}{width}", "arm_of": arm, "shape.width": width, "lr": 0.1, "seed": 0,
             "status": "finished", "final_loss": 1.0}
            for arm in ("mup", "sp")
            for width in (8, 16)
        ]
    )  # fmt: skip
    with pytest.raises(AnalysisError) as caught:
        arms.sweeps_of_arms(runs, "arm_of", "final_loss")
    assert str(caught.value) == (
        "2 runs at arm_of mup, lr 0.1, seed 0: choose one in `where`; they differ in shape.width"
    )


def test_seeds_that_an_arm_lacks_are_left_out_with_a_note():
    table = runs_table(rows(widths=[16], log2_lrs=[-1], seeds=range(4)))
    table = pd.concat([table.assign(optimizer=name) for name in ("sgd", "adam")], ignore_index=True)
    gap = table["seed"].eq(3) & table["optimizer"].eq("adam")
    found = arms.compare(table[~gap], "optimizer", arms.of_means(lambda v: v["sgd"]))
    assert (found.count, found.left_out) == (3, 1)
    assert found.caveat == "1 seed is left out, not every optimizer has it at enough values of lr"


def test_arms_whose_seeds_ran_other_learning_rates_are_compared_without_mixing_seeds():
    """Seed 3 is worse everywhere, and ran the two best learning rates of each arm alone."""
    frames = []
    for name, best in (("sgd", -1), ("adam", 0)):
        table = runs_table(rows(widths=[16], log2_lrs=[-2, -1, 0, 1], seeds=range(4)))
        table["final_loss"] += 5 * (table["seed"] == 3)
        table["final_loss"] += (np.log2(table["lr"]) - best) ** 2 - (np.log2(table["lr"]) + 1) ** 2
        near = (np.log2(table["lr"]) - best).abs() < 1.5
        frames.append(table[near | (table["seed"] < 3)].assign(optimizer=name))
    runs = pd.concat(frames, ignore_index=True)
    found = arms.compare(
        runs, "optimizer", arms.of_means(lambda v: v["adam"] - v["sgd"]), best=True
    )
    assert (found.count, found.left_out) == (4, 0)
    assert (found.value, found.low, found.high) == pytest.approx((0, 0, 0))
    assert arms.losses_at_best(runs, "optimizer").tolist() == pytest.approx([2.416, 2.416])
    assert arms.best_lr(runs[runs["optimizer"] == "adam"]) == 1.0
