"""The allocation of a round: the proposer's decisions for all arms of a grid, as a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypertransfer.rounds import best_of, sweep
from hypertransfer.rounds.arm import Arm, Decision, loss_of, read_arms
from hypertransfer.storage import parquet


def allocation(parts: Mapping[str, Any], tables: Iterable[str]) -> dict[str, Any]:
    """The allocation of a planned round.

    Args:
        parts: the parts of the job: the number of the round, the axis, and the arms as
            `planning.round_jobs` writes them; if the arms take the best values of another grid,
            also its name and their counterparts.
        tables: the files of the tables of all earlier rounds, or of all rounds of the other grid.

    Returns:
        The grid, the number of the round, the keys of all runs, and for each arm its point, the
        reason, whether it is bracketed, and its runs by value, seed and key.
    """
    seen = losses(tables)
    arms = read_arms(parts["arms"], seen)
    decisions = decide(parts, arms, seen)
    allocated = [
        {
            "arm": dict(arm.point),
            "reason": decision.reason,
            "bracketed": decision.bracketed,
            "runs": [
                {
                    parts["axis"]: arm.settings.value(notch),
                    "seed": seed,
                    "key": arm.candidates[notch, seed],
                }
                for notch, seed in decision.runs
            ],
        }
        for arm, decision in zip(arms, decisions, strict=True)
    ]
    keys = [run["key"] for arm in allocated for run in arm["runs"]]
    return {"grid": parts["grid"], "round": parts["round"], "keys": keys, "arms": allocated}


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


def losses(tables: Iterable[str]) -> dict[str, float]:
    """The final training loss of each run in tables of cells, by key; +inf if it diverged."""
    found: dict[str, float] = {}
    for path in tables:
        table = parquet.read(path, ["key", "status", "final_loss"])
        for row in table.to_pylist():
            found[row["key"]] = loss_of(row)
    return found
