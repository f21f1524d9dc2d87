"""Arms of adaptive sweeps with curves of known optima, and a study with an adaptive axis."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

from tests.workflow.project import STUDY

from hypertransfer.rounds import sweep
from hypertransfer.rounds.arm import Arm, Decision, Place
from hypertransfer.rounds.settings import Adaptive

Loss = Callable[[float, Any], float]  # of log2 of the value, and the seed


def arm(
    losses: dict[Place, float] | None = None,
    seeds: Sequence[Any] = (0, 1, 2),
    sizes: tuple[float, ...] = (),
    family: str = "f",
    **settings: Any,
) -> Arm:
    """An arm in which every notch of the lattice may run with every seed."""
    found = Adaptive(**{"start": 1, **settings})
    candidates = {(notch, seed): f"{notch}-{seed}" for notch in found.notches() for seed in seeds}
    return Arm({"size": list(sizes)}, family, sizes, found, candidates, losses or {})


def parabola(optimum: float, skew: float = 1, diverges: float = math.inf) -> Loss:
    """A loss with its minimum at log2 value `optimum`, `skew` times as steep above it.

    Runs more than `diverges` octaves above the optimum diverge.
    """

    def loss(log2: float, _: Any) -> float:
        above = log2 - optimum
        if above > diverges:
            return math.inf
        return 1 + 0.05 * above**2 * (skew if above > 0 else 1)

    return loss


def rounds_of(
    arms: Sequence[Arm], losses: Sequence[Loss]
) -> tuple[list[Arm], list[list[Decision]]]:
    """The arms after all their rounds, and the decisions of each round."""
    seen: list[dict[Place, float]] = [{} for _ in arms]
    made = []
    for number in range(1, max(one.settings.rounds for one in arms) + 1):
        now = [replaced(one, held) for one, held in zip(arms, seen, strict=True)]
        decisions = sweep.propose(now, number)
        for one, held, loss, decision in zip(now, seen, losses, decisions, strict=True):
            for notch, seed in decision.runs:
                held[notch, seed] = loss(one.settings.log2(notch), seed)
        made.append(decisions)
    return [replaced(one, held) for one, held in zip(arms, seen, strict=True)], made


def replaced(one: Arm, losses: dict[Place, float]) -> Arm:
    """The arm with a copy of other losses."""
    return Arm(one.point, one.family, one.sizes, one.settings, one.candidates, dict(losses))


def adaptive_study(**settings: Any) -> dict[str, Any]:
    """The micro study, whose learning rate is found."""
    study = copy.deepcopy(STUDY)
    axes = study["grids"]["sweep"]["axes"]
    axes["optimizer"] = ["sgd"]
    axes["lr"] = {"adaptive": {"start": "2^-3", "rounds": 3, "octaves": 8, **settings}}
    study["grids"]["sweep"]["probes"]["sharpness"]["where"] = {"seed": 0, "lr": 0.125}
    study["figures"][1]["where"] = {"lr": 0.125, "seed": 0}
    return study


def followed_study(**settings: Any) -> dict[str, Any]:
    """The study of `adaptive_study` with a grid, of longer runs, at the best value of each arm."""
    study = adaptive_study(**settings)
    sweep_grid = study["grids"]["sweep"]
    best = copy.deepcopy(sweep_grid)
    best["base"]["steps"] = 8
    best["axes"]["lr"]["adaptive"]["best_of"] = "sweep"
    best["probes"]["sharpness"]["where"] = {"seed": 0}
    study["grids"]["best"] = best
    for part in (*study["figures"], *study["claims"]):
        part["where"] = {**part["where"], "grid": "sweep"}
    return study


def listed_study() -> dict[str, Any]:
    """The micro study with a proxy that lists settings, and wider networks at the best of these."""
    study = copy.deepcopy(STUDY)
    proxy = study["grids"].pop("sweep")
    proxy["axes"] = {
        "optimizer": ["sgd"],
        "lr": [0.0625, 0.125, 0.25],
        "weight_decay": [0.1, 0, 0.2],
        "seed": [0, 1],
    }
    proxy |= {"inner": ["lr", "weight_decay", "seed"], "zip": [["lr", "weight_decay"]]}
    proxy["probes"] = {}
    target = copy.deepcopy(proxy)
    target["axes"] = {"shape.width": [8, 16], **target["axes"]}
    target["best_of"] = "proxy"
    study["grids"] = {"proxy": proxy, "target": target}
    study |= {"figures": [], "claims": []}
    return study
