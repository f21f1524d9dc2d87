"""Searchers that a replay compares, over the rows of a task: random, Bayesian, successive halving.

Each answers with the rows that it evaluated, in order, or with the regret after each unit of work.
What lies in a region is decided before: a searcher is given the rows that it may choose from. Two
searchers of one replay share the order in which random rows come, so that they are compared in
pairs.
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
from hypertransfer.spaces.learning import Task

CANDIDATES = 1500  # rows at which the best expected improvement is looked for
START = 3  # random evaluations before a Gaussian process is fitted


@dataclass(frozen=True)
class Problem:
    """A search on one task.

    `rows` may be evaluated, in random order; `warm` are rows to begin with; `budget` is in
    evaluations; the first `axes` coordinates are numeric, the others choices.
    """

    task: Task
    axes: int
    rows: np.ndarray
    budget: int
    generator: np.random.Generator
    warm: Sequence[int] = field(default_factory=tuple)


def random(problem: Problem) -> np.ndarray:
    """Regret after each evaluation of rows in random order; what is to begin with first."""
    rest = problem.rows[~np.isin(problem.rows, problem.warm)]
    return path(problem, [*problem.warm, *rest][: problem.budget])


def bayesian(problem: Problem, *, start: int = START) -> np.ndarray:
    """Regret after each evaluation of GP-BO: the row of most expected improvement, one by one.

    Matérn 5/2 with a length scale for each dimension and noise, fitted anew after each evaluation
    by scikit-learn; choices are one-hot. It begins with `warm`, or with `start` random rows.
    """
    chosen = list(problem.warm) or problem.rows[:start].tolist()
    chosen = chosen[: problem.budget]
    features = _one_hot(problem)
    theta: np.ndarray | None = None
    while len(chosen) < problem.budget:
        left = problem.rows[~np.isin(problem.rows, chosen)]
        if not left.size:
            break
        if len(left) > CANDIDATES:
            left = problem.generator.choice(left, CANDIDATES, replace=False)
        if not np.isfinite(problem.task.losses[chosen]).any():
            chosen.append(int(left[0]))
            continue
        row, theta = _most_promising(features, problem.task.losses, chosen, left, theta)
        chosen.append(row)
    return path(problem, chosen)


def _most_promising(
    features: np.ndarray, losses: np.ndarray, chosen: Sequence[int], left: np.ndarray,
    theta: np.ndarray | None,
) -> tuple[int, np.ndarray]:  # fmt: skip
    """The row of `left` with the largest expected improvement, and the fitted kernel's theta.

    The fit starts from `theta` (log hyperparameters, as in scikit-learn) where one is given.
    """
    values = standardised(losses[list(chosen)])
    kernel = matern_kernel(np.full(features.shape[1], 0.5), (0.05, 20.0), noise=1e-3)
    if theta is not None:
        kernel = kernel.clone_with_theta(theta)
    process = gaussian_process(kernel, features[list(chosen)], values)
    index, _ = most_promising(process, features[left], values.min())
    return int(left[index]), process.kernel_.theta


def _one_hot(problem: Problem) -> np.ndarray:
    """Coordinates with each choice as a vector of its own: their order means nothing."""
    points, axes = problem.task.points, problem.axes
    columns = [points[:, :axes]]
    for column in points[:, axes:].T:
        columns.append(column[:, None] == np.unique(column))
    return np.column_stack(columns).astype(float)


def halving(problem: Problem, *, factor: int = 3, brackets: int = 1) -> np.ndarray:
    """Regret after each unit of work of successive halving on learning curves, again and again.

    All configurations of a round get the least work; the best 1/`factor` of them go on to the next
    share that the task's curves have, and so forth. With `brackets` above 1, rounds start in
    turns from the first shares: Hyperband (Li et al. 2018). When no row is left to begin with,
    those that were stopped go on, the best first. Work goes on from where it stopped. The regret
    is that of the configuration which is best by what was seen so far, at its most work.

    Raises:
        ValueError: the task has no curves.
    """
    if problem.task.curves is None:
        raise ValueError(f"{problem.task.name} has no learning curves to halve by")
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
    """What successive halving has seen: work spent, each row's last rung, the best so far."""

    def __init__(self, problem: Problem) -> None:
        self.task, self.budget = problem.task, problem.budget
        self.shares = np.asarray(problem.task.work)
        self.regrets = np.full(problem.budget, 1.0)
        self.spent, self.over = 0.0, False
        self.rungs: dict[int, int] = {}
        self.best = (-1, -np.inf)

    def run(self, rows: Sequence[int], rung: int) -> list[int]:
        """Take rows on to a rung, as far as the budget goes; those rows, the best first."""
        for row in rows:
            before = self.shares[self.rungs[row]] if row in self.rungs else 0.0
            self.spent += self.shares[rung] - before
            if self.spent > self.budget + 1e-9:
                self.over = True
                return []
            self.rungs[row] = rung
            seen = (rung, -self.task.curves[row, rung])
            if seen > self.best:
                self.best = seen
                self.regrets[max(int(np.ceil(self.spent - 1e-9)) - 1, 0) :] = self.task.regrets[row]
        return sorted(rows, key=lambda row: self.task.curves[row, rung])

    def stopped(self) -> list[int]:
        """Rows that are not done, those with the most work first, and the best of them."""
        last = len(self.shares) - 1
        open_rows = [row for row, rung in self.rungs.items() if rung < last]
        return sorted(
            open_rows, key=lambda row: (-self.rungs[row], self.task.curves[row, self.rungs[row]])
        )


def path(problem: Problem, chosen: Sequence[int]) -> np.ndarray:
    """The least regret (budget,) after each evaluation; it stays where rows have run out."""
    found = np.minimum.accumulate(problem.task.regrets[list(chosen)])
    return np.concatenate([found, np.full(problem.budget - len(found), found[-1])])


SEARCHERS: Mapping[str, Callable[..., np.ndarray]] = {
    "random": random,
    "bayesian": bayesian,
    "halving": halving,
}


def search(name: str, problem: Problem, options: Mapping[str, Any]) -> np.ndarray:
    """Regret (budget,) of a searcher by its name."""
    return SEARCHERS[name](problem, **options)
