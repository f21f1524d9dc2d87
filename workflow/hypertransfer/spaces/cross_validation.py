"""Leave-one-task-out cross-validation, which estimates the gain from a learned space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, learn
from hypertransfer.spaces.tasks.task import Task

NEAR = 0.1  # share of a task's rows, those of least loss, in which `coverage` is counted


@dataclass(frozen=True)
class LeftOut:
    """The test of a space on a task from which the space was not learned.

    Attributes:
        task: name of the task.
        group: group of the task.
        volume: volume of the space, as a share of the whole space.
        holds_best: whether the best point of the task lies in the space.
        inflation: factor by which the region must grow to hold the best point of the task.
        coverage: share of the best tenth of the task's rows that lies in the space.
        rows: number of the task's rows in the space.
        counts: numbers of evaluations, (k,).
        inside: expected normalised regrets of random search in the space after `counts`
            evaluations, (k,). A space with fewer rows than a count has the regret of its best row.
        whole: the same for random search in the whole space, (k,).
    """

    task: str
    group: str
    volume: float
    holds_best: bool
    inflation: float
    coverage: float
    rows: int
    counts: tuple[int, ...]
    inside: np.ndarray
    whole: np.ndarray


def leave_one_out(
    domain: Domain,
    tasks: Sequence[Task],
    recipe: Recipe,
    counts: Sequence[int] = (3, 10, 30),
    by_group: bool = False,
) -> Iterator[LeftOut]:
    """Learn a space for each task from the other tasks, and test the space on the task.

    With `by_group`, the space is learned from the tasks of other groups only. A task is skipped if
    no task is left to learn from.
    """
    for task in tasks:
        others = [
            other
            for other in tasks
            if (other.group != task.group if by_group else other.name != task.name)
        ]
        if others:
            yield _tested(domain, others, task, recipe, counts)


def _tested(
    domain: Domain, others: Sequence[Task], task: Task, recipe: Recipe, counts: Sequence[int]
) -> LeftOut:
    size = float(task.attributes[recipe.drift]) if recipe.drift else None
    space = learn(domain, others, recipe, size)
    rows = space.rows_inside(task.points)
    best = task.best[None]
    return LeftOut(
        task=task.name,
        group=task.group,
        volume=space.volume,
        holds_best=bool(space.contains(best)[0]),
        inflation=float(space.gauge(best)[0]),
        coverage=float(space.contains(task.points[task.near_best(NEAR)]).mean()),
        rows=len(rows),
        counts=tuple(counts),
        inside=expected_best(task.regrets[rows], counts),
        whole=expected_best(task.regrets, counts),
    )


def expected_best(regrets: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """The expected minimum of k of n regrets, drawn without replacement, for each k of `counts`.

    In closed form: the i-th of n values in ascending order is the least of k drawn values with
    probability C(n − i, k − 1) / C(n, k). A count above n is replaced by n.
    """
    ordered = np.sort(regrets)
    n = len(ordered)
    means = []
    for count in counts:
        k = min(count, n)
        weights = np.empty(n)
        weights[0] = k / n
        for i in range(1, n):  # the ratio C(n − i − 1, k − 1) / C(n − i, k − 1)
            weights[i] = weights[i - 1] * max(n - i - k + 1, 0) / (n - i)
        means.append(float(weights @ ordered))
    return np.array(means)
