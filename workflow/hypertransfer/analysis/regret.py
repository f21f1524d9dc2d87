"""Regret and gain of a learning rate that is carried over from the smallest to the largest size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import FEWEST, LEVEL, mean_over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.sweeps import Sweep, tuned_losses


@dataclass(frozen=True)
class Regret:
    """The loss that the smallest size's best learning rate costs the largest size.

    Attributes:
        losses: the regret of each seed (seed,): its loss of the largest size at the learning rate
            that is best on the smallest size, minus that at the largest size's own best. The other
            seeds choose both, among the learning rates *tried*. A mean of such differences is not
            biased by what a seed brings to both losses, and is too low if the seeds choose a
            learning rate of the largest size that is not the best.
        excesses: for each learning rate that may be the best of the smallest size, and for each
            that may be the best of the largest size, the loss of the largest size at the first
            minus that at the second, of the seeds that ran both.
        proxy_edge: whether the best learning rate of the smallest size lies on the edge of the
            grid. A wider grid could have a better one, so nothing but a positive regret is known.
        target_edge: whether that of the largest size does: the upper bound is open.
        lower_level, upper_level: the levels of the intervals of excesses whose lower and upper
            ends are taken.
    """

    losses: np.ndarray
    excesses: Sequence[Sequence[np.ndarray]]
    proxy_edge: bool
    target_edge: bool
    lower_level: float = LEVEL
    upper_level: float = LEVEL

    def estimate(self, mean: Callable[..., Estimate] = mean_over_seeds) -> Estimate:
        """The mean regret, at least 0, with the bounds that edges leave.

        For one learning rate of the smallest size, the regret is the largest of the true means of
        its excesses over the learning rates of the largest size. Its lower end is therefore the
        largest lower end of their intervals, and its upper end the largest upper end. Which
        learning rate of the smallest size is the best is not known either: the interval is from the
        least lower end to the largest upper end. `mean` maps values (seed,) and a level to an
        estimate.
        """
        found = mean(self.losses, level=self.lower_level)
        lows, highs = [], []
        for of_rate in self.excesses:
            lows.append(max(mean(values, level=self.lower_level).low for values in of_rate))
            highs.append(max(mean(values, level=self.upper_level).high for values in of_rate))
        low = 0.0 if self.proxy_edge else max(min(lows, default=found.low), 0.0)
        high = max(0.0, found.value, *highs) if highs else found.high
        high = math.inf if self.proxy_edge or self.target_edge else high
        value = max(found.value, 0.0)
        return replace(found, value=value, low=min(low, value), high=high)


def regret(sweeps: Sequence[Sweep], level: float = LEVEL) -> Regret | None:
    """The regret of transfer from the smallest to the largest size.

    Seeds that did not run the largest size at the chosen learning rates are left out. None if no
    seed is left, or if every learning rate of a size diverged. Learning rates that fewer than three
    seeds ran on the largest size bound nothing, if others do.
    """
    small, large = sweeps[0], sweeps[-1]
    everyone = np.arange(len(small.losses))
    edges = [sweep.optimum(everyone).edge for sweep in (small, large)]
    if "none" in edges:
        return None
    at_small, at_large = tuned_losses(small, large), tuned_losses(large, large)
    known = ~np.isnan(at_small) & ~np.isnan(at_large)
    if not known.any():
        return None
    lost = np.where(at_small == at_large, 0.0, at_small - at_large)[known]
    columns = [large.column_of(small.lrs[rate]) for rate in small.contenders(level)]
    best = large.contenders(level)
    excesses = [
        _of_enough_seeds(large.losses[:, column], large.losses[:, best])
        for column in columns
        if column is not None
    ]
    return Regret(
        lost,
        [of_rate for of_rate in excesses if of_rate],
        bool(edges[0]),
        bool(edges[1]),
        1 - (1 - level) / len(best),  # the largest of so many lower ends
        level,
    )


def _of_enough_seeds(losses: np.ndarray, others: np.ndarray) -> list[np.ndarray]:
    """Losses (seed,) minus each column of others (seed, rate), where three or more seeds ran both.

    A difference of two divergences is 0.
    """
    differences = []
    for other in others.T:
        both = ~np.isnan(losses) & ~np.isnan(other)
        equal = losses[both] == other[both]
        if both.sum() >= FEWEST:
            with np.errstate(invalid="ignore"):
                lost = losses[both] - other[both]
            differences.append(np.where(equal, 0.0, lost))
    return differences


def transfer_gain(sweeps: Sequence[Sweep]) -> np.ndarray:
    """The smallest size's loss minus the largest size's, each seed (seed,), at one learning rate.

    The other seeds choose the learning rate, the best tried on the smallest size. The gain is nan
    for a seed that did not run the largest size there.
    """
    small, large = sweeps[0], sweeps[-1]
    return tuned_losses(small, small) - tuned_losses(small, large)
