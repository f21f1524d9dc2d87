"""Regret and gain of a learning rate that is carried over from the smallest to the largest size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
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
            biased by what a seed brings to both losses. It is too low if the seeds choose a
            learning rate of the largest size that is not the best, and too high or too low if they
            choose one of the smallest size that is not the best.
        differences: for each pair of a learning rate that may be the best of the smallest size and
            one that may be the best of the largest, the loss of the largest size at the first
            minus that at the second, of the seeds that ran both.
        proxy_open: whether the best learning rate of the smallest size lies on the edge of the
            grid, or the lowest mean is of fewer than three seeds. Another learning rate could be
            better, so nothing but a positive regret is known.
        target_open: whether that of the largest size does: the upper bound is open.
        level: the level of the intervals.
    """

    losses: np.ndarray
    differences: Sequence[np.ndarray]
    proxy_open: bool
    target_open: bool
    level: float = LEVEL

    @property
    def pairs_lack_seeds(self) -> bool:
        """Whether fewer than three seeds ran a pair of rates, so that nothing bounds the regret."""
        return any(len(values) < FEWEST for values in self.differences)

    def estimate(self, mean: Callable[..., Estimate] = mean_over_seeds) -> Estimate:
        """The mean regret, at least 0, with the bounds that edges and lacking seeds leave.

        The interval is from the least lower end to the largest upper end of the intervals of
        `differences`: one of their true means is the regret, and its interval covers with `level`.
        It is open if a pair lacks seeds.
        `mean` maps values (seed,) and a level to an estimate.
        """
        found = mean(self.losses, level=self.level)
        value = max(found.value, 0.0)
        if self.proxy_open or self.pairs_lack_seeds or not self.differences:
            return replace(found, value=value, low=0.0, high=math.inf)
        pairs = [mean(values, level=self.level) for values in self.differences]
        low = min(*(max(pair.low, 0.0) for pair in pairs), value)
        high = math.inf if self.target_open else max(*(pair.high for pair in pairs), value)
        return replace(found, value=value, low=low, high=high)


def regret(sweeps: Sequence[Sweep], level: float = LEVEL) -> Regret | None:
    """The regret of transfer from the smallest to the largest size.

    Seeds that did not run the largest size at the chosen learning rates are left out. None if no
    seed is left, or if every learning rate of a size diverged. If fewer than three seeds ran the
    largest size at a learning rate that may be the best of the smallest one, the regret is open; so
    is its upper end if fewer ran the lowest mean of the largest size.
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
    pairs = list(_differences(small, large, level))
    opened = [
        bool(edge) or _lacks_seeds(sweep) for edge, sweep in zip(edges, (small, large), strict=True)
    ]
    return Regret(lost, pairs, *opened, level)


def _differences(small: Sweep, large: Sweep, level: float) -> Iterator[np.ndarray]:
    """The `differences` of a regret, of all pairs; empty if the largest size lacks the first.

    No test tells whether a rate that fewer than three seeds ran at a size may be the best there. It
    is left out unless it has the lowest mean, which leaves the regret open.
    """
    own_best = _tested(large, level)
    for rate in _tested(small, level):
        mine = large.column_of(small.lrs[rate])
        for best in own_best:
            if mine is None:
                yield np.empty(0)
            else:
                values = large.losses[:, mine] - large.losses[:, best]
                yield values[~np.isnan(values)]


def _tested(sweep: Sweep, level: float) -> list[int]:
    """The learning rates that may be the best of a size, of those that at least three seeds ran."""
    counts = _counts(sweep)
    return [rate for rate in sweep.contenders(level) if counts[rate] >= FEWEST]


def _counts(sweep: Sweep) -> np.ndarray:
    """The number of seeds that ran each learning rate."""
    return (~np.isnan(sweep.losses)).sum(axis=0)


def _lacks_seeds(sweep: Sweep) -> bool:
    """Whether fewer than three seeds ran the learning rate with the lowest mean loss."""
    return _counts(sweep)[np.nanargmin(sweep.means())] < FEWEST


def transfer_gain(sweeps: Sequence[Sweep]) -> np.ndarray:
    """The smallest size's loss minus the largest size's, each seed (seed,), at one learning rate.

    The other seeds choose the learning rate, the best tried on the smallest size. The gain is nan
    for a seed that did not run the largest size there.
    """
    small, large = sweeps[0], sweeps[-1]
    return tuned_losses(small, small) - tuned_losses(small, large)
