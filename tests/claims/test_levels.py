"""Every measure passes the level on to its interval: a higher level gives a wider interval."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from tests.support import arms
from tests.support.claims import make_paths, make_runs

from hypertransfer.claims.bars import P_VALUE
from hypertransfer.claims.families import measures

OF = {"of": "muon", "over": "adamw"}
OPTIMIZERS = {**OF, "column": "optimizer"}
METHODS = {"of": "box", "over": "random", "at": 3}
SEEDS, GROUPS = 6, 9


def noisy(table, *columns, deviation=0.02):
    """The table with numbers that vary from row to row."""
    rng = np.random.default_rng(1)
    factors = {c: table[c] * np.exp(rng.normal(0, deviation, len(table))) for c in columns}
    return table.assign(**factors)


def sweeps(**options):
    """Sweeps of three widths, of which none diverged; the optimum falls with the width."""
    vertices = (-0.5, -1.4, -2.6)
    runs = make_runs(vertices, log2_lrs=range(-6, 2), seeds=SEEDS, noise=0.2, **options)
    return noisy(runs, "final_loss")


def two_arms():
    """Sweeps of two arms over widths."""
    parts = [sweeps(optimizer=name) for name in ("muon", "adamw")]
    return {"runs": noisy(pd.concat(parts, ignore_index=True), "final_loss")}


def narrow():
    """Sweeps of two arms at one width."""
    runs = two_arms()["runs"]
    return {"runs": runs[runs["shape.width"] == 16]}


def stable():
    """Sweeps in which the largest stable learning rate varies with the seed."""
    return {"runs": make_runs((-1.5, -3.5), widths=(16, 256), seeds=SEEDS, noise=0.7)}


def one_rate(losses=(2.0, 2.1)):
    """Arms with one learning rate."""
    names = ("muon", "adamw", "both")
    parts = [arms.arm(name, [loss], lrs=[1.0], seeds=SEEDS)
             for name, loss in zip(names, losses, strict=False)]  # fmt: skip
    return {"runs": noisy(pd.concat(parts, ignore_index=True), "final_loss")}


def diverging():
    """Learning rates up to a limit that varies with the seed."""
    runs = one_rate()["runs"].drop(columns="lr").merge(pd.DataFrame({"lr": [1.0, 2.0, 4.0, 8.0]}),
                                                       how="cross")  # fmt: skip
    limits = np.where(runs["optimizer"] == "muon", 3.0, 1.5) * (1 + runs["seed"] % 3)
    runs["status"] = np.where(runs["lr"] > limits, "diverged", "finished")
    runs["key"] += runs["lr"].astype(str)
    return {"runs": runs}


def raced():
    """Training losses of two arms at two batch sizes, with noise of the seed."""
    parts = [arms.raced(speed, batch_size=size) for speed, size in ((2.0, 4), (2.5, 16))]
    runs, history = (
        pd.concat([part[table] for part in parts], ignore_index=True)
        for table in ("runs", "history")
    )
    noise = np.random.default_rng(2).normal(1, 0.01, len(runs))
    factor = dict(zip(runs["key"], noise, strict=True))
    history["train_loss"] *= history["key"].map(factor)
    return {"runs": runs, "history": history}


def one_batch():
    """The races of `raced` at the smaller batch size."""
    return {name: t[t["key"].str.contains("4}")] for name, t in raced().items()}


def horizons():
    """Runs of several numbers of steps, and one number of the arm that they are compared with."""
    shorter = [arms.arm("muon", [4 - math.log2(n)], lrs=[1.0], steps=n, seeds=SEEDS)
               for n in (2, 4, 8)]  # fmt: skip
    rest = arms.arm("adamw", [1.5], lrs=[1.0], steps=8, seeds=SEEDS)
    return {"runs": noisy(pd.concat([*shorter, rest], ignore_index=True), "final_loss")}


def along_a_line():
    """Losses over places along a line for two targets, whose minimum varies with the seed."""
    places = np.random.default_rng(3).normal([[0.4], [1.6]], 0.7, (2, SEEDS))
    rows = [
        (f"target-{t}", seed, float(place), 1 + (place - places[t, seed]) ** 2)
        for t in (0, 1) for seed in range(SEEDS) for place in range(-3, 5)
    ]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["target", "seed", "place", "final_loss"])
    return {"runs": runs.assign(key=runs.index.astype(str), status="finished")}


def paths(quantity, function, table="probes"):
    """A quantity along training, which varies with width and seed."""
    rng = np.random.default_rng(4)
    noise = {(w, s): rng.normal() for w in (16, 64, 256, 1024) for s in range(SEEDS)}
    return make_paths(quantity, lambda w, s, t: function(w, noise[w, s], t), table,
                      widths=(16, 64, 256, 1024), seeds=SEEDS)  # fmt: skip


def level_paths(quantity):
    return paths(quantity, lambda w, noise, t: 2 * (w / 16) ** 0.2 * (1 + 0.05 * noise))


def gap_paths(quantity, table):
    """A gap to the widest network that grows with the steps and falls with the width."""
    return paths(quantity, lambda w, noise, t: 5 + (t + 1) * (1 + 0.05 * noise) / w, table)


def two_quantities():
    return {**gap_paths("train_loss", "history"), **level_paths("scaled_sharpness")}


def replays():
    rng = np.random.default_rng(5)
    rows = [
        {"replay": "r", "suite": "s", "task": f"t{task}", "group": f"t{task}", "method": method,
         "repeat": repeat, "regrets": list(0.9 ** np.arange(12) * rate * rng.uniform(0.6, 1))}
        for method, rate in (("box", 0.7), ("random", 1.0))
        for task in range(GROUPS) for repeat in (0, 1)
    ]  # fmt: skip
    return {"replays": pd.DataFrame(rows)}


def regions(*names):
    rng = np.random.default_rng(6)
    rows = [
        {"replay": replay, "region": "box", "task": f"t{task}", "group": f"t{task}", "repeat": 0,
         "volume": rng.uniform(0.1, 0.4)}
        for replay in names for task in range(GROUPS)
    ]  # fmt: skip
    return {"regions": pd.DataFrame(rows)}


def winners():
    rng = np.random.default_rng(7)
    rows = [
        {"suite": "s", "task": f"{g}{w}", "group": str(g), "dimension": "lr", "width": w,
         "winner": -math.log2(w) + rng.normal(0, 0.2)}
        for g in range(GROUPS) for w in (16, 64)
    ]  # fmt: skip
    return {"winners": pd.DataFrame(rows)}


def of_runs(make):
    return lambda: {"runs": make()}


CASES = {  # measure → tables on which its interval at 90 % is finite, and options
    "optimum_shift": (of_runs(sweeps), {}),
    "optimum_slope": (of_runs(sweeps), {}),
    "stable_lr_shift": (stable, {"ceiling": 0.6}),
    "transfer_regret": (of_runs(sweeps), {}),
    "transfer_gain": (of_runs(sweeps), {}),
    "transfer_regret_sigma": (of_runs(sweeps), {}),
    "minimum_shift": (along_a_line, {}),
    "sharpness_spread": (lambda: level_paths("scaled_sharpness"), {}),
    "late_level": (lambda: level_paths("edge"), {}),
    "largest": (lambda: level_paths("theory_error"), {}),
    "size_exponent": (lambda: level_paths("scaled_sharpness"), {}),
    "gap_size_exponent": (lambda: gap_paths("train_loss", "history"), {}),
    "gap_growth": (lambda: gap_paths("scaled_sharpness", "probes"), {}),
    "gap_change": (lambda: gap_paths("scaled_sharpness", "probes"), {}),
    "gap_contrast": (two_quantities, {}),
    "late_ratio": (two_quantities, {"quantity": "train_loss"}),
    "advantage": (one_rate, OPTIMIZERS),
    "rise_advantage": (two_arms, OPTIMIZERS),
    "arms_range": (one_rate, {"column": "optimizer"}),
    "arms_ratio": (one_rate, OPTIMIZERS),
    "perplexity_gain": (one_rate, OPTIMIZERS),
    "interaction": (
        lambda: one_rate((2.0, 1.9, 1.7)),
        {"base": "muon", "single": "adamw", "joint": "both", "column": "optimizer"},
    ),
    "diverged_advantage": (diverging, OF),
    "lr_span_advantage": (narrow, {**OF, "margin": 0.1}),
    "steps_ratio": (one_batch, OF),
    "steps_ratio_slope": (raced, OF),
    "horizon_ratio": (horizons, OF),
    "shift_contrast": (two_arms, OPTIMIZERS),
    "regret_ratio": (replays, METHODS),
    "tasks_improved": (replays, METHODS),
    "regret_p_value": (replays, METHODS),
    "evaluations_to": (replays, {**METHODS, "of": "random", "over": "box"}),
    "region_level": (lambda: regions("sp"), {}),
    "region_ratio": (lambda: regions("sp", "mup"), {"of": "mup", "over": "sp"}),
    "winner_slope": (winners, {}),
}


def at_two_levels(name, tables, options):
    return (measures()[name].function(tables, level, **options) for level in (0.9, 0.99))


@pytest.mark.parametrize("name", measures())
def test_a_higher_level_gives_a_wider_interval(name):
    make, options = CASES[name]
    usual, wide = at_two_levels(name, make(), options)
    assert math.isfinite(usual.low + usual.high), usual
    assert wide.low <= usual.low
    assert wide.high >= usual.high
    if measures()[name].unit == P_VALUE:
        assert usual.low == usual.high, "a p value has no interval"
    else:
        assert wide.high - wide.low > usual.high - usual.low > 0


def test_a_median_has_the_ranks_of_its_level():
    options = {"statistic": "median"}
    usual, wide = at_two_levels("region_level", regions("sp"), options)
    assert wide.low < usual.low < usual.high < wide.high


def test_arms_with_a_chosen_rate_pass_the_level_on():
    usual, wide = at_two_levels("advantage", narrow(), {**OPTIMIZERS, "best": True})
    assert wide.low < usual.low < usual.high < wide.high
