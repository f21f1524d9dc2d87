"""The interval of a shift of optima, from the runs that rounds choose and from a full grid."""

from __future__ import annotations

from statistics import median

import numpy as np
import pandas as pd
import pytest
from tests.simulations.synthetic import Noise, World, split
from tests.support.adaptive import arm, rounds_of
from tests.support.claims import measured

SIZES, DRAWS = (16, 64), 15


def table(losses, places) -> pd.DataFrame:
    """The table of runs of both sizes at places (log2 of the learning rate, seed)."""
    rows = [
        (f"{size}-{log2}-{seed}", size, 2.0**log2, seed, loss(log2, seed), "finished")
        for size, loss, chosen in zip(SIZES, losses, places, strict=True)
        for log2, seed in chosen
    ]
    columns = ["key", "shape.width", "lr", "seed", "final_loss", "status"]
    return pd.DataFrame(rows, columns=columns)


def loss_at(world, drawn, size):
    """The loss of a world at one size, by log2 of the learning rate and seed."""
    return lambda log2, seed: float(world.losses(drawn[seed], size, [log2])[0])


def width(runs: pd.DataFrame) -> float:
    found = measured("optimum_shift", {"runs": runs}, signed=True).estimate
    return found.high - found.low


@pytest.mark.parametrize(("skew", "seeds"), [(1, 3), (4, 5)])
def test_intervals_from_rounds_are_little_wider_than_those_from_a_full_grid(skew, seeds):
    rng, adaptive, full = np.random.default_rng(0), [], []
    for _ in range(DRAWS):
        optima = {size: rng.uniform(-1.5, 1.5) for size in SIZES}
        world = World(split(skew), optima, Noise())
        drawn = world.seeds(rng, seeds)
        losses = [loss_at(world, drawn, size) for size in SIZES]
        arms = [arm(sizes=(float(np.log2(size)),), seeds=range(seeds)) for size in SIZES]
        found, _ = rounds_of(arms, losses)
        chosen = [[(one.settings.log2(n), seed) for n, seed in one.losses] for one in found]
        grid = [(float(log2), seed) for log2 in range(-6, 7) for seed in range(seeds)]
        adaptive.append(width(table(losses, chosen)))
        full.append(width(table(losses, [grid, grid])))
    assert median(adaptive) <= 1.6 * median(full)
