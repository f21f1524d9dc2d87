"""The next round of a grid with an adaptive axis: runs that the store lacks, and the reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from hypertransfer.planning.round_jobs import GridRounds, ListedArms
from hypertransfer.rounds.arm import loss_of, read_arms
from hypertransfer.rounds.decision import decide, outcomes
from hypertransfer.storage.run_store import DamagedEntry, Store


@dataclass(frozen=True)
class ArmStatus:
    """The values of an arm's axes, the number of runs that are missing, and the reason in words."""

    point: Mapping[str, object]
    missing: int
    reason: str


@dataclass(frozen=True)
class RoundStatus:
    """The next round of a grid.

    Attributes:
        number: the first round with missing runs; the number of rounds plus 1 if there is none.
        rounds: the number of rounds.
        asked: the keys of all runs of the rounds up to this one.
        arms: what the round runs of each arm; if no round has missing runs, what was found.
        later_runs: a bound on the runs of later rounds.
        later_seconds: a bound on their estimated time.
        losses: the losses of the grid's stored runs, by key, once all rounds have been run.
    """

    number: int
    rounds: int
    asked: frozenset[str]
    arms: Sequence[ArmStatus]
    later_runs: int
    later_seconds: float
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """The number of runs that the round has to train."""
        return sum(arm.missing for arm in self.arms)


def next_round(rounds: GridRounds, store: Store) -> RoundStatus:
    """The next round of a grid.

    The rounds are decided again from the losses in the store, so that the answer does not depend
    on the tables that exist.
    """
    losses: dict[str, float] = {}
    asked: set[str] = set()
    if rounds.followed:
        losses |= _losses_of(rounds.followed, store)
    for number in range(1, rounds.rounds + 1):
        arms = read_arms(rounds.written_arms, losses)
        decisions = decide({**rounds.decided_by, "round": number}, arms, losses)
        statuses = []
        for arm, decision in zip(arms, decisions, strict=True):
            keys = [arm.candidates[place] for place in decision.runs]
            stored = {key: loss for key in keys if (loss := _loss(store, key)) is not None}
            losses |= stored
            asked.update(keys)
            statuses.append(ArmStatus(arm.point, len(keys) - len(stored), decision.reason))
        if any(status.missing for status in statuses):
            later = range(number + 1, rounds.rounds + 1)
            runs, seconds = _later(rounds, later, asked)
            return RoundStatus(number, rounds.rounds, frozenset(asked), statuses, runs, seconds)
    if rounds.followed and not losses:  # the other grid has not found a value yet
        bound = sum(arm.most_runs(1) for arm in rounds.arms)
        seconds = sum(arm.most_seconds(1) for arm in rounds.arms)
        return RoundStatus(1, rounds.rounds, frozenset(), statuses, bound, seconds)
    arms = read_arms(rounds.written_arms, losses)
    texts = outcomes(rounds.decided_by, arms, losses)
    found = [ArmStatus(arm.point, 0, text) for arm, text in zip(arms, texts, strict=True)]
    own = {key: losses[key] for key in asked}
    return RoundStatus(rounds.rounds + 1, rounds.rounds, frozenset(asked), found, 0, 0.0, own)


def _losses_of(followed: GridRounds | ListedArms, store: Store) -> Mapping[str, float]:
    """The losses of a grid whose best values are taken, by key, once all its runs are stored."""
    if isinstance(followed, ListedArms):
        keys = [planned.key for arm in followed.arms for planned in arm.runs]
        found = {key: _loss(store, key) for key in keys}
        return {} if None in found.values() else found
    return next_round(followed, store).losses


def _later(rounds: GridRounds, numbers: Sequence[int], asked: Collection[str]) -> tuple[int, float]:
    """Bounds on the runs, and on their seconds, of later rounds, which repeat no run."""
    runs, seconds = 0, 0.0
    for arm in rounds.arms:
        left = [planned.seconds for planned in arm.runs if planned.key not in asked]
        bound = min(sum(map(arm.most_runs, numbers)), len(left))
        runs += bound
        seconds += bound * fmean(left) if left else 0.0
    return runs, seconds


def _loss(store: Store, key: str) -> float | None:
    """The loss of a stored run; None if the store lacks the run or its record is damaged."""
    try:
        entry = store.get("runs", key)
        return None if entry is None else loss_of(entry.record)
    except (DamagedEntry, KeyError, TypeError):  # a job trains the run again
        return None
