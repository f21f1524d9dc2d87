"""Measures of sweeps on tables whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
from tests.support.claims import INF, SP, make_runs, make_tables, measured
from tests.support.sweeps import parts

from hypertransfer.claims.measure import ClaimError


def test_optimum_slope_is_signed_and_per_doubling():
    assert measured("optimum_slope", make_tables(), SP).estimate.value == pytest.approx(
        -1.25, abs=0.05
    )


def test_another_loss_may_be_asked_for():
    runs = make_runs((0.1, 0.1, 0.1))
    runs["eval_loss"] = make_runs((0.1, -0.9, -1.9))["final_loss"]
    assert measured("optimum_shift", {"runs": runs}, loss="eval_loss").estimate.value > 1.9


def test_diverged_runs_count_as_infinite_in_every_loss():
    runs = make_runs((0.1, 0.1, 0.1))
    runs.loc[runs["status"] == "diverged", "eval_loss"] = math.nan
    assert measured("stable_lr_shift", {"runs": runs}, loss="eval_loss").estimate.value == 0


def test_stable_lr_shift_is_known_to_a_grid_step():
    # The largest stable power of two lies below vertex + 3.5, cut off at 2^2.
    runs = make_runs((-2.2, -4.7), widths=(16, 256), noise=0)
    found = measured("stable_lr_shift", {"runs": runs}, signed=True)
    assert parts(found.estimate) == (-3, -4, -2)
    found = measured("stable_lr_shift", {"runs": make_runs((0.1, -4.7), widths=(16, 256))})
    assert found.estimate.high == INF
    assert "the largest value tried is stable" in found.reason
    found = measured("stable_lr_shift", {"runs": runs}, signed=True, ceiling=0.6)
    assert parts(found.estimate) == pytest.approx((-2, -3, -1))


def test_the_weight_decay_may_be_what_was_swept():
    runs = make_runs((0.1, 0.2, 0.3)).rename(columns={"lr": "weight_decay"}).assign(lr=0.5)
    shift = measured("optimum_shift", {"runs": runs}, axis="weight_decay")
    assert shift.estimate.value == pytest.approx(0.2, abs=0.05)
    stable = measured("stable_lr_shift", {"runs": runs}, axis="weight_decay", ceiling=0.6)
    assert (stable.estimate.value, stable.estimate.low) == (0, 0)


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
    assert parts(found.estimate) == (0.5, 0, INF), "the last place is the least"
    runs = lines({"same": (0.5, 0.5, 0.5), "wider": (0.0, 0.0, 0.0)})
    found = measured("minimum_shift", {"runs": runs})
    assert parts(found.estimate) == (0.5, 0, 1.0), "each place is known to half a step"


def test_the_least_of_a_line_needs_two_targets():
    with pytest.raises(ClaimError, match="at least two values of target with the same seeds"):
        measured("minimum_shift", {"runs": lines({"same": (0.5, 0.5, 0.5)})})


def test_regret_in_loss_and_in_seed_deviations():
    runs = make_runs((0.0, -1.0, -2.0), noise=0)
    at_proxy = (runs["shape.width"] == 256) & (runs["lr"] == 1)
    runs.loc[at_proxy, "final_loss"] += runs["seed"] * 0.01
    in_loss = measured("transfer_regret", {"runs": runs})
    assert in_loss.estimate.value == pytest.approx(0.4 + 0.02)
    sigma = np.std(np.arange(5) * 0.01, ddof=1)
    half = 2.7764 * sigma / math.sqrt(5)
    assert in_loss.estimate.high == pytest.approx(0.42 + half, abs=1e-5)
    in_sigma = measured("transfer_regret_sigma", {"runs": runs})
    assert in_sigma.estimate.value == pytest.approx(0.42 / sigma)
    assert in_sigma.estimate.low < 0.5 * in_sigma.estimate.value, "σ of five seeds is uncertain"
    assert (in_loss.unit, in_sigma.unit) == ("loss", "seed σ")


def test_infinite_regret_fails_a_bar_and_is_told():
    runs = make_runs((0.1, -2.4, -4.9))
    verdict = measured("transfer_regret", {"runs": runs})
    assert (verdict.verdict, verdict.estimate.value) == ("fails", INF)
    assert verdict.reason.startswith("infinite over 5 seeds, all of it violates")
    assert "at shape.width 256 the best learning rate of shape.width 16 diverges" in verdict.reason
