"""How often intervals cover the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.simulations.scenarios import SCENARIOS

from hypertransfer.claims.families import FAMILIES, measures


def simulated() -> tuple[list[str], list[str]]:
    """The measures of the library that scenarios simulate, and those that none does."""
    own = [name for name, m in measures().items() if m.function.__module__ in FAMILIES]
    with_scenario = {scenario.measure for scenario in SCENARIOS.values()}
    return [n for n in own if n in with_scenario], [n for n in own if n not in with_scenario]


@dataclass(frozen=True)
class Coverage:
    """Shares of draws whose interval holds the truth, or lies on one side of it.

    If the truth is the bar of a claim, `below` and `above` are the shares of false verdicts.
    """

    draws: int
    below: float
    above: float
    width: float

    @property
    def covered(self) -> float:
        """The share of intervals that hold the truth."""
        return 1 - self.below - self.above


def coverage(name: str, seeds: int, draws: int) -> Coverage:
    """The coverage in a scenario; the draws depend on nothing but the arguments."""
    number = list(SCENARIOS).index(name)
    lows, highs, widths = 0, 0, []
    for draw in range(draws):
        estimate, truth = SCENARIOS[name].draw(np.random.default_rng([number, seeds, draw]), seeds)
        slack = 1e-9 * max(abs(truth), 1)
        lows += estimate.high < truth - slack
        highs += estimate.low > truth + slack
        widths.append(estimate.high - estimate.low)
    return Coverage(draws, lows / draws, highs / draws, float(np.median(widths)))
