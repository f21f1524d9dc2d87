"""The losses of one arm over an adaptive axis: levels, noise, best value, and its brackets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from hypertransfer.rounds.arm import Place

CLEAR = 2.0  # standard errors by which a level is clearly above another
# Where only one seed ran: the share of the range from the lowest level to the fourth lowest one.
CLEAR_SHARE, TYPICAL = 0.01, 3


@dataclass(frozen=True)
class Curve:
    """The levels of an arm, and what they say of its best value.

    Attributes:
        levels: the loss at each notch, as a mean over seeds after the effect of each seed is taken
            off; +inf if a seed diverged there.
        counts: the number of seeds at each notch.
        best: the notch of the lowest level; None if no level is finite.
        noise: the standard deviation of a loss about its level, from the notches next to the best
            one; None if no two of them have two seeds in common.
        stride: the step in notches.
        possible: the notches that may be run; None if all may.
    """

    levels: Mapping[int, float]
    counts: Mapping[int, int]
    best: int | None
    noise: float | None
    stride: int = 1
    possible: Collection[int] | None = None

    def is_above(self, notch: int, clear: float = CLEAR) -> bool:
        """Whether the level at a notch is clearly above the best level, or +inf.

        `clear` is the number of standard errors of the difference by which it is.
        """
        excess = self.levels[notch] - self.levels[self.best]
        return math.isinf(self.levels[notch]) or excess > self._margin(notch, clear)

    def _margin(self, notch: int, clear: float) -> float:
        if self.noise is not None:
            variances = 1 / self.counts[notch] + 1 / self.counts[self.best]
            return clear * self.noise * math.sqrt(variances)
        # Not the highest of many levels, which can be of any height just below divergence.
        finite = sorted(level for level in self.levels.values() if math.isfinite(level))
        return CLEAR_SHARE * (finite[: TYPICAL + 1][-1] - finite[0])

    @property
    def open_sides(self) -> list[int]:
        """The sides, -1 for lower and 1 for higher values, on which the best one is not bracketed.

        A side needs a level above the best one, and the next whole step has to have run there.
        Where every level is +inf, the lower side is open.
        """
        if self.best is None:
            return [-1]
        return [
            side
            for side in (-1, 1)
            if self.holes(side) or not any(map(self.is_above, self._beyond(side)))
        ]

    def holes(self, side: int) -> list[int]:
        """The whole steps between the best level and the next one on a side that did not run.

        From the best level on; without steps that cannot be run. Empty if nothing ran on the side.
        """
        ran = [notch * side for notch in self._beyond(side)] if self.best is not None else []
        if not ran:
            return []
        first = (self.best * side // self.stride + 1) * self.stride
        steps = (notch * side for notch in range(first, min(ran), self.stride))
        return [n for n in steps if self.possible is None or n in self.possible]

    def _beyond(self, side: int) -> Iterator[int]:
        return (notch for notch in self.levels if (notch - self.best) * side > 0)

    def edge(self, side: int) -> int:
        """The last notch on a side."""
        return max(self.levels, key=lambda notch: notch * side)


def curve(
    losses: Mapping[Place, float], stride: int, possible: Collection[int] | None = None
) -> Curve:
    """The curve of an arm's losses; the noise is measured within `stride` notches of the best.

    `possible` has the notches that may be run; None if all may.
    """
    by_notch: dict[int, dict[Any, float]] = {}
    for (notch, seed), loss in sorted(losses.items(), key=lambda item: item[0][0]):
        by_notch.setdefault(notch, {})[seed] = loss
    effects = _seed_effects(by_notch)
    levels = {
        notch: fmean(loss - effects[seed] for seed, loss in of_seeds.items())
        for notch, of_seeds in by_notch.items()
    }
    counts = {notch: len(of_seeds) for notch, of_seeds in by_notch.items()}
    finite = [notch for notch, level in levels.items() if math.isfinite(level)]
    best = min(finite, key=levels.__getitem__, default=None)
    near = [n for n in finite if best is not None and abs(n - best) <= stride]
    noise = _noise([by_notch[n] for n in near], [levels[n] for n in near], effects)
    return Curve(levels, counts, best, noise, stride, possible)


def _seed_effects(by_notch: Mapping[int, Mapping[Any, float]]) -> dict[Any, float]:
    """The median difference of each seed's losses from those of the seed that ran most."""
    ran = Counter(seed for of_seeds in by_notch.values() for seed in of_seeds)
    effects: dict[Any, float] = {}
    for seed in ran:
        reference = max(ran, key=ran.__getitem__)  # of equally many, the first
        differences = [
            of_seeds[seed] - of_seeds[reference]
            for of_seeds in by_notch.values()
            if {seed, reference} <= of_seeds.keys()
            and math.isfinite(of_seeds[seed])
            and math.isfinite(of_seeds[reference])
        ]
        effects[seed] = median(differences) if differences else 0.0
    return effects


def _noise(
    losses: Sequence[Mapping[Any, float]], levels: Sequence[float], effects: Mapping[Any, float]
) -> float | None:
    """The residual standard deviation of losses that seeds and notches explain; None if unknown."""
    repeated = [(of, level) for of, level in zip(losses, levels, strict=True) if len(of) > 1]
    seeds = {seed for of, _ in repeated for seed in of}
    freedom = sum(len(of) - 1 for of, _ in repeated) - (len(seeds) - 1)
    if not repeated or freedom < 1:
        return None
    residuals = (
        loss - effects[seed] - level for of, level in repeated for seed, loss in of.items()
    )
    return math.hypot(*residuals) / math.sqrt(freedom)
