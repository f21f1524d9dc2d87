"""Levels of intervals where claims are tested at several numbers of seeds, called looks.

If a claim is tested again after seeds were added, each test may give a false verdict. The errors of
all looks of a study therefore add up to that of one interval. The sum bounds the probability of a
false verdict whatever decides which claims get more seeds (Bonferroni's inequality).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.intervals import LEVEL

EARLIER = 1 / 5  # share of the error that all looks before the last have, in equal parts


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds at which claims are tested.

    Attributes:
        seeds: ascending numbers of seeds.
        claims: ids of the claims that are tested at each of them, because they read runs whose
            seeds are added as needed. Other claims are tested once.
    """

    seeds: tuple[int, ...]
    claims: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        """Check the numbers of seeds.

        Raises:
            ValueError: there is no number of seeds, or they do not ascend.
        """
        if not self.seeds or any(b <= a for a, b in pairwise(self.seeds)):
            raise ValueError(f"numbers of seeds must ascend, at least one, got {self.seeds}")

    @property
    def levels(self) -> tuple[float, ...]:
        """The level of the intervals at each number of seeds."""
        error, earlier = 1 - LEVEL, len(self.seeds) - 1
        if not earlier:
            return (LEVEL,)
        each = round(1 - EARLIER * error / earlier, 12)
        return (*(each for _ in range(earlier)), round(1 - (1 - EARLIER) * error, 12))

    def level_for(self, count: int) -> float:
        """The level of an interval over `count` seeds.

        That of the largest number of seeds which is at most `count`; that of the first number if
        there is none.
        """
        reached = [level for n, level in zip(self.seeds, self.levels, strict=True) if n <= count]
        return reached[-1] if reached else self.levels[0]

    def level_of(self, claim: str, estimate: Estimate) -> float:
        """The level of a claim's interval; `LEVEL` if the claim is tested once.

        Seeds that are added do not add to other units, such as groups of tasks. Intervals over
        these keep `LEVEL`.
        """
        looked_at = claim in self.claims and estimate.over == "seeds"
        return self.level_for(estimate.count) if looked_at else LEVEL


ONCE = Looks((1,))  # every claim is tested once
