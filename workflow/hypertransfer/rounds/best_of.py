"""The proposer of arms that take the best values of another grid's arms."""

from __future__ import annotations

from collections.abc import Sequence

from hypertransfer.rounds.arm import Arm, Decision
from hypertransfer.rounds.curve import curve
from hypertransfer.rounds.settings import Listed


def propose(arms: Sequence[Arm], followed: Sequence[Arm], grid: str) -> list[Decision]:
    """What is run of each arm: all seeds at the best value of its counterpart.

    Args:
        arms: the arms, in order.
        followed: the counterpart of each arm, in the same order, after its last round.
        grid: the name of the grid of the counterparts.
    """
    return [_decision(arm, other, grid) for arm, other in zip(arms, followed, strict=True)]


def outcomes(arms: Sequence[Arm], followed: Sequence[Arm], grid: str) -> list[str]:
    """The value that each arm has taken, in words; the arguments are those of `propose`."""
    return [_outcome(arm, other, grid) for arm, other in zip(arms, followed, strict=True)]


def _outcome(arm: Arm, other: Arm, grid: str) -> str:
    decision = _decision(arm, other, grid)
    if not decision.runs:
        return decision.reason
    value, count = arm.settings.value(decision.runs[0][0]), len(decision.runs)
    return f"taken from {grid}: {value:.4g} ({count} {'seed' if count == 1 else 'seeds'})"


def _decision(arm: Arm, other: Arm, grid: str) -> Decision:
    found = curve(other.losses, other.settings.stride, other.seeds)
    if found.best is None:
        reason = f"every run of {grid} diverged" if other.losses else f"waits for {grid}"
        return Decision((), reason)
    runs = [(found.best, seed) for seed in arm.seeds.get(found.best, ())]
    value = f"{arm.settings.value(found.best):.4g}"
    if not runs:
        return Decision((), f"{value}, the best of {grid}, is left out of this grid")
    # Settings that are listed have no order, and so no sides.
    bracketed = isinstance(arm.settings, Listed) or not found.open_sides
    return Decision(runs, f"all seeds at {value}, the best of {grid}", bracketed)
