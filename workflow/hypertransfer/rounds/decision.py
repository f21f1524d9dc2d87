"""The decision of a planned round, and what its rounds have found, by the proposer of its arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypertransfer.rounds import best_of, sweep
from hypertransfer.rounds.arm import Arm, Decision, read_arms


def decide(
    parts: Mapping[str, Any], arms: Sequence[Arm], seen: Mapping[str, float]
) -> list[Decision]:
    """What a planned round runs of its arms; `seen` has the losses of runs by key."""
    if "followed" in parts:
        return best_of.propose(arms, read_arms(parts["followed"], seen), parts["best_of"])
    return sweep.propose(arms, parts["round"])


def outcomes(parts: Mapping[str, Any], arms: Sequence[Arm], seen: Mapping[str, float]) -> list[str]:
    """What the rounds have found for each arm, in words; the arguments are those of `decide`."""
    if "followed" in parts:
        return best_of.outcomes(arms, read_arms(parts["followed"], seen), parts["best_of"])
    return list(map(sweep.outcome, arms))
