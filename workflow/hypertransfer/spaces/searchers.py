"""Searchers that a replay compares on the rows of a task: random, Bayesian, successive halving.

A searcher returns the least normalised regret after each unit of work. It evaluates rows in the
random order in which they are given, for example the rows in a region. All searchers of a replay
are given the same order, so that comparisons are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hypertransfer.spaces.gaussian_process import (
    gaussian_process,
    matern_kernel,
    most_promising,
    standardised,
)
from hypertransfer.spaces.tasks.task import Task

CANDIDATES = 1500  # rows among which expected improvement is maximised
# Of a kernel, as shares of the range of a dimension. Longer ones make a dimension irrelevant, which
# few evaluations suggest of most dimensions; shorter ones make each evaluation an island.
LENGTH, LENGTHS = 0.5, (0.1, 2.0)
ITERATIONS = 20  # of a fit, about half of those to convergence


@dataclass(frozen=True)
class TaskSearch:
    """A search on one task.

    Attributes:
        task: the task.
        axes: number of numeric coordinates, which come first in the task's points.
        rows: indices of the rows that may be evaluated, in random order.
        budget: number of evaluations.
        generator: source of random draws.
        warm: indices of the rows that are evaluated first.
    """

    task: Task
    axes: int
    rows: np.ndarray
    budget: int
    generator: np.random.Generator
    warm: Sequence[int] = field(default_factory=tuple)


def random(problem: TaskSearch) -> np.ndarray:
    """Regrets (budget,) of random search: the warm rows first, then the other rows in order."""
    rest = problem.rows[~np.isin(problem.rows, problem.warm)]
    return least_regrets(problem, [*problem.warm, *rest][: problem.budget])


def bayesian(problem: TaskSearch, *, start: int) -> np.ndarray:
    """Regrets (budget,) of GP-BO, which evaluates the row of largest expected improvement next.

    The search begins with the warm rows or, without any, with `start` random rows. Each further
    row has the largest expected improvement. The Gaussian process has a Matérn 5/2 kernel with one
    length scale for each dimension, and noise; its kernel is fitted anew after each evaluation,
    since a fit that starts from the last one stays where a length scale has come to a bound.
    Categorical dimensions are one-hot encoded.
    """
    chosen = list(problem.warm) or problem.rows[:start].tolist()
    chosen = chosen[: problem.budget]
    features = _one_hot(problem)
    while len(chosen) < problem.budget:
        left = problem.rows[~np.isin(problem.rows, chosen)]
        if not left.size:
            break
        if len(left) > CANDIDATES:
            left = problem.generator.choice(left, CANDIDATES, replace=False)
        if not np.isfinite(problem.task.losses[chosen]).any():
            chosen.append(int(left[0]))
            continue
        chosen.append(_most_promising(features, problem.task.losses, chosen, left))
    return least_regrets(problem, chosen)


def _most_promising(
    features: np.ndarray, losses: np.ndarray, chosen: Sequence[int], left: np.ndarray
) -> int:
    """The row of `left` with the largest expected improvement, after the evaluations `chosen`."""
    values = standardised(losses[list(chosen)])
    kernel = matern_kernel(np.full(features.shape[1], LENGTH), LENGTHS, noise=1e-3)
    process = gaussian_process(kernel, features[list(chosen)], values, ITERATIONS)
    index, _ = most_promising(process, features[left], values.min())
    return int(left[index])


def _one_hot(problem: TaskSearch) -> np.ndarray:
    """The task's points (n, numeric + number of choices), categorical columns one-hot encoded."""
    points, axes = problem.task.points, problem.axes
    columns = [points[:, :axes]]
    for column in points[:, axes:].T:
        columns.append(column[:, None] == np.unique(column))
    return np.column_stack(columns).astype(float)


def halving(problem: TaskSearch, *, factor: int, brackets: int) -> np.ndarray:
    """Regrets (budget,) of successive halving on the task's learning curves.

    A round evaluates new configurations at the smallest share of work; the best 1/`factor` of
    them continue to the next share, and so on up to the whole work. Rounds repeat until no new
    configurations are left; then stopped configurations continue to the whole work, best first.
    With `brackets` above 1, rounds start at each of the first `brackets` shares in turn, as in
    Hyperband (Li et al. 2018). A configuration that continues costs only the additional work. The
    regret is that of the best configuration at the largest share reached so far, after its whole
    work.

    Raises:
        ValueError: the task has no learning curves.
    """
    if problem.task.curves is None:
        raise ValueError(f"{problem.task.name} has no learning curves, which halving needs")
    race = _Race(problem)
    waiting, bracket = list(problem.rows), 0
    shares = len(race.shares)
    while waiting and not race.over:
        first = bracket % min(brackets, shares)
        size = factor ** (shares - 1 - first)
        alive, waiting = waiting[:size], waiting[size:]
        bracket += 1
        for rung in range(first, shares):
            alive = race.run(alive, rung)[: max(1, len(alive) // factor)]
    while (stopped := race.stopped()) and not race.over:
        race.run(stopped[:1], shares - 1)
    return race.regrets


class _Race:
    """The state of successive halving.

    `spent` is the work so far; `rungs` holds the last rung of each row, a rung being the index of
    a share of work; `best` is the largest rung reached, and minus the least loss at this rung.
    """

    def __init__(self, problem: TaskSearch) -> None:
        self.task, self.budget = problem.task, problem.budget
        self.shares = np.asarray(problem.task.work)
        self.regrets = np.full(problem.budget, 1.0)
        self.spent, self.over = 0.0, False
        self.rungs: dict[int, int] = {}
        self.best = (-1, -np.inf)

    def run(self, rows: Sequence[int], rung: int) -> list[int]:
        """Continue rows to a rung; returns them, best first, or none once the budget is spent."""
        for row in rows:
            before = self.shares[self.rungs[row]] if row in self.rungs else 0.0
            self.spent += self.shares[rung] - before
            if self.spent > self.budget + 1e-9:
                self.over = True
                return []
            self.rungs[row] = rung
            reached = (rung, -self.task.curves[row, rung])
            if reached > self.best:
                self.best = reached
                self.regrets[max(int(np.ceil(self.spent - 1e-9)) - 1, 0) :] = self.task.regrets[row]
        return sorted(rows, key=lambda row: self.task.curves[row, rung])

    def stopped(self) -> list[int]:
        """The rows that stopped before the last rung: by rung, largest first, and then by loss."""
        last = len(self.shares) - 1
        unfinished = [row for row, rung in self.rungs.items() if rung < last]
        return sorted(
            unfinished, key=lambda row: (-self.rungs[row], self.task.curves[row, self.rungs[row]])
        )


def least_regrets(problem: TaskSearch, chosen: Sequence[int]) -> np.ndarray:
    """The least regret (budget,) after each evaluation; if rows run out, the last one repeats."""
    regrets = np.minimum.accumulate(problem.task.regrets[list(chosen)])
    return np.pad(regrets, (0, problem.budget - len(regrets)), mode="edge")


SEARCHERS: Mapping[str, Callable[..., np.ndarray]] = {
    "random": random,
    "bayesian": bayesian,
    "halving": halving,
}


def search(name: str, problem: TaskSearch, options: Mapping[str, Any]) -> np.ndarray:
    """Regrets (budget,) of the searcher with this name and these options."""
    return SEARCHERS[name](problem, **options)
