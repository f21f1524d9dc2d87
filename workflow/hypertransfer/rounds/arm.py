"""What a proposer reads and returns: arms with the losses seen so far, and decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hypertransfer.rounds import settings as axis_settings
from hypertransfer.rounds.settings import Adaptive, Listed

Place = tuple[int, Any]  # notch and seed of a run


@dataclass(frozen=True)
class Arm:
    """One sweep of an adaptive axis: all runs of a grid that differ in this axis and the seed only.

    Attributes:
        point: the values of the grid's other axes.
        family: a text that arms share if they differ in their sizes only.
        sizes: base-2 logarithms of the sizes, such as width and depth, in the order of the axes.
        settings: the settings of the axis.
        candidates: the key of each run that may be chosen, by notch and seed.
        losses: the losses seen so far, by notch and seed; +inf for a run that diverged.
    """

    point: Mapping[str, Any]
    family: str
    sizes: tuple[float, ...]
    settings: Adaptive | Listed
    candidates: Mapping[Place, str]
    losses: Mapping[Place, float] = field(default_factory=dict)

    @cached_property
    def seeds(self) -> dict[int, list[Any]]:
        """The seeds of the candidates at each notch, in the order of the grid."""
        seeds: dict[int, list[Any]] = {}
        for notch, seed in self.candidates:
            seeds.setdefault(notch, []).append(seed)
        return seeds


@dataclass(frozen=True)
class Decision:
    """What a round runs of an arm, and why.

    Attributes:
        runs: notch and seed of each run, none of which has been run.
        reason: the reason in words, also where nothing is run.
        bracketed: whether the best value has a worse value or a divergence on both sides.
    """

    runs: Sequence[Place]
    reason: str
    bracketed: bool = False


def read_arms(written: Sequence[Mapping[str, Any]], losses: Mapping[str, float]) -> list[Arm]:
    """The arms as `planning.round_jobs` writes them, with the losses of their runs by key.

    Runs without a loss have not been run.
    """
    arms = []
    for values in written:
        candidates = {(notch, seed): key for notch, seed, key in values["runs"]}
        seen = {place: losses[key] for place, key in candidates.items() if key in losses}
        settings, sizes = axis_settings.parse(values["settings"]), tuple(values["sizes"])
        arms.append(Arm(values["point"], values["family"], sizes, settings, candidates, seen))
    return arms


def loss_of(run: Mapping[str, Any]) -> float:
    """The loss by which runs are compared: the final training loss, +inf if the run diverged."""
    loss = run["final_loss"]
    usable = run["status"] != "diverged" and loss is not None and math.isfinite(loss)
    return loss if usable else math.inf
