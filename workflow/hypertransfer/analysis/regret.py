"""Regret and gain of a learning rate that is carried over from the smallest to the largest size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import FEWEST, LEVEL, mean_over_seeds
from hypertransfer.analysis.lazy import numpy as np
from hypertransfer.analysis.sweeps import Sweep, level_after_choice, tuned_losses


@dataclass(frozen=True)
class Regret:
    """The loss that the smallest size's best learning rate costs the largest size.

    Attributes:
        losses: the regret of each seed (seed,): its loss of the largest size at the learning rate
            that is best on the smallest size, minus that at the largest size's own best. The other
            seeds choose both, among the learning rates *tried*. A mean of such differences is not
            biased by what a seed brings to both losses, and is too low if the seeds choose a
            learning rate of the largest size that is not the best.
        excesses: for each learning rate that may be the best of the largest size, the first of
            these two losses minus that at this learning rate, of the seeds that ran both.
        proxy_edge: whether the best learning rate of the smallest size lies on the edge of the
            grid. A wider grid could have a better one, so nothing but a positive regret is known.
        target_edge: whether that of the largest size does: the upper bound is open.
        lower_level, upper_level: the levels of the intervals whose lower and upper end are taken
            (see `level_after_choice`).
    """

    losses: np.ndarray
    excesses: Sequence[np.ndarray]
    proxy_edge: bool
    target_edge: bool
    lower_level: float = LEVEL
    upper_level: float = LEVEL

    def estimate(self, mean: Callable[..., Estimate] = mean_over_seeds) -> Estimate:
        """The mean regret, at least 0, with the bounds that edges leave.

        The lower end is that of the interval of `losses`. The upper end is the largest one of the
        intervals of `excesses`: the regret is the largest of their true means, so that for it to be
        above, one of them would have to be. `mean` maps values (seed,) and a level to an estimate.
        """
        found = mean(self.losses, level=self.lower_level)
        highs = [mean(values, level=self.upper_level).high for values in self.excesses]
        low = 0.0 if self.proxy_edge else max(found.low, 0.0)
        high = max(0.0, found.value, *highs) if highs else found.high
        high = math.inf if self.proxy_edge or self.target_edge else high
        return replace(found, value=max(found.value, 0.0), low=low, high=high)


def regret(sweeps: Sequence[Sweep], level: float = LEVEL) -> Regret | None:
    """The regret of transfer from the smallest to the largest size.

    Seeds that did not run the largest size at the chosen learning rates are left out. None if no
    seed is left, or if every learning rate of a size diverged. Learning rates of the largest size
    that fewer than three seeds ran bound nothing, if others do.
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
    contending = [at_small - large.losses[:, rate] for rate in large.contenders(level)]
    excesses = [values[~np.isnan(values)] for values in contending]
    enough = [values for values in excesses if len(values) >= FEWEST]
    return Regret(
        lost,
        enough,
        bool(edges[0]),
        bool(edges[1]),
        level_after_choice((small, large), level),
        level_after_choice((small,), level),
    )


def transfer_gain(sweeps: Sequence[Sweep]) -> np.ndarray:
    """The smallest size's loss minus the largest size's, each seed (seed,), at one learning rate.

    The other seeds choose the learning rate, the best tried on the smallest size. The gain is nan
    for a seed that did not run the largest size there.
    """
    small, large = sweeps[0], sweeps[-1]
    return tuned_losses(small, small) - tuned_losses(small, large)
