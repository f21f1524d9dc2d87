"""Leave-one-task-out cross-validation: the gain to expect from a learned space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hypertransfer.spaces.dimensions import Domain
from hypertransfer.spaces.learning import Recipe, learn
from hypertransfer.spaces.tasks.task import Task

NEAR = 0.1  # share of a task's rows that count as its best


@dataclass(frozen=True)
class LeftOut:
    """How a space learned from other tasks serves one task.

    `inflation` is the factor by which the region must grow to hold the task's best point;
    `coverage` the share of the task's best tenth of rows that lies in the space; `rows` the number
    of its rows there. `inside` and `whole` are expected regrets of random search after each of
    `counts` evaluations, in the space and in the whole range; a space with fewer rows than a count
    stays at the regret of its best row.
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
    domain: Domain, tasks: Sequence[Task], recipe: Recipe, counts: Sequence[int] = (3, 10, 30),
    by_group: bool = False,
) -> Iterator[LeftOut]:  # fmt: skip
    """For each task, the space learned from the other tasks, tested on this task.

    With `by_group`, all tasks of the task's group are left out. Tasks without others are skipped.
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
    """The expected least of k regrets drawn without replacement from (n,), for each k of `counts`.

    In closed form: of n values in ascending order, the i-th is the least of k drawn ones with
    probability C(n − i, k − 1) / C(n, k). A count above n is taken as n.
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
