"""Searches for hyperparameters: progress, multipliers, gains, and losses along a line."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from hypertransfer.analysis import searches
from hypertransfer.analysis.estimate import AnalysisError


def test_the_best_so_far_never_rises_and_trials_are_in_their_order():
    runs = pd.DataFrame(
        {
            "method": ["a", "b", "a", "a"],
            "generation": [1, 0, 0, 0],
            "trial": [0, 0, 1, 0],
            "seed": [0, 0, 0, 0],
            "final_loss": [1.5, 9.0, math.inf, 2.0],
        }
    )
    tables = searches.progress(runs)
    assert tables["a"].index.tolist() == [1, 2, 3]
    assert tables["a"]["loss"].tolist() == [2.0, math.inf, 1.5]
    assert tables["a"]["best"].tolist() == [2.0, 2.0, 1.5]
    assert tables["b"]["best"].tolist() == [9.0]


def test_depth_is_interpolated_and_added_to_groups_in_blocks_alone():
    proposal = {
        "lr/query": -1.0,
        "lr/embedding": 0.5,
        "lr/depth0": -1.0,
        "lr/depth1": 1.0,
        "residual/attention": 0.25,
    }
    maps = searches.multiplier_maps(proposal, [0, 0.5, 1])
    assert list(maps) == ["lr", "residual"]
    assert maps["lr"].loc["query"].tolist() == [-2.0, -1.0, 0.0]
    assert maps["lr"].loc["embedding"].tolist() == [0.5, 0.5, 0.5]
    assert maps["residual"].loc["attention"].tolist() == [0.25] * 3
    runs = pd.DataFrame(
        {"seed": [0, 0], "final_loss": [2.0, 1.0], "proposal": ["{}", json.dumps(proposal)]}
    )
    assert searches.best_proposal(runs) == proposal


def test_independent_searches_have_trials_and_best_proposals_of_their_own():
    runs = pd.DataFrame(
        [
            ("a", seed, trial // 2, trial % 2, loss, json.dumps({"lr": lr}))
            for seed, losses in ((0, (3.0, 1.0, 2.0)), (1, (2.0, 5.0, 1.5)))
            for trial, (loss, lr) in enumerate(zip(losses, (0.0, 1.0, 4.0), strict=True))
        ],
        columns=["method", "seed", "generation", "trial", "final_loss", "proposal"],
    )
    table = searches.progress(runs.sample(frac=1, random_state=0))["a"]
    assert table.index.tolist() == [1, 2, 3, 1, 2, 3]
    assert table["best"].tolist() == [3.0, 1.0, 1.0, 2.0, 2.0, 1.5]
    assert searches.best_proposal(runs) == {"lr": (1.0 + 4.0) / 2}


def test_gains_are_the_references_loss_minus_each_methods_seed_by_seed():
    runs = pd.DataFrame(
        [
            ("same", seed, method, 2 + seed - gain)
            for seed in (0, 1)
            for method, gain in (("global", 0.0), ("factored", 0.25))
        ],
        columns=["target", "seed", "method", "final_loss"],
    )
    gains = searches.gains_over(runs, "global")
    assert gains.columns.tolist() == ["factored"]
    assert gains.loc["same"]["factored"].tolist() == [0.25, 0.25]


def lines(**minima):
    """Losses |place − minimum| for each target and seed."""
    return pd.DataFrame(
        [
            (target, seed, place, abs(place - minimum), "finished")
            for target, per_seed in minima.items()
            for seed, minimum in enumerate(per_seed)
            for place in (0.0, 0.5, 1.0)
        ],
        columns=["target", "seed", "place", "final_loss", "status"],
    )


def test_the_minimum_is_that_of_the_mean_over_the_chosen_seeds():
    losses = searches.losses_along(lines(same=(0.0, 1.0, 1.0)), "place")
    assert losses.shape == (3, 3)
    assert searches.minimum(losses) == 1.0
    assert searches.minimum(losses, np.array([0, 0, 1])) == 0.0


def test_the_shift_of_minima_is_their_largest_distance():
    groups = searches.losses_by_group(
        lines(same=(0.0, 0.0), wider=(0.5, 0.5), deeper=(1.0, 0.5)), "place", "target", "final_loss"
    )
    assert searches.minimum_shift(groups, np.array([0, 0])).value == 1.0
    assert searches.minimum_shift(groups, np.array([1, 1])).value == 0.5
    with pytest.raises(AnalysisError, match="at least two values of target with the same seeds"):
        searches.losses_by_group(
            lines(same=(0.0, 0.0), wider=(0.5,)), "place", "target", "final_loss"
        )
