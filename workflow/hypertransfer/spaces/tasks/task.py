"""A task: the evaluations of one black box, from which a search space is learned or tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """The evaluations of one black box.

    Attributes:
        name: name of the task.
        group: name that related tasks share, such as all tasks from one data set.
        points: points (n, d) as `Domain.encode` returns them: the coordinates of numeric
            dimensions in the unit cube, then indices of choices.
        losses: losses (n,); +inf for diverged evaluations.
        attributes: further properties of the task, such as its width.
        curves: losses (n, r) after shares of the whole work; None without learning curves.
        work: the shares (r,) of the whole work; the last one is 1.
    """

    name: str
    group: str
    points: np.ndarray
    losses: np.ndarray
    attributes: Mapping[str, Any] = field(default_factory=dict)
    curves: np.ndarray | None = None
    work: tuple[float, ...] = (1.0,)

    @cached_property
    def regrets(self) -> np.ndarray:
        """Normalised regrets (n,): (loss − least) / (greatest − least) over finite losses.

        Diverged evaluations have regret 1. If all finite losses are equal, their regrets are 0.
        """
        finite = self.losses[np.isfinite(self.losses)]
        if not finite.size or np.ptp(finite) == 0:
            return np.where(np.isfinite(self.losses), 0.0, 1.0)
        regrets = (self.losses - finite.min()) / np.ptp(finite)
        return np.where(np.isfinite(self.losses), regrets, 1.0)

    @cached_property
    def _order(self) -> np.ndarray:
        """Rows (n,) from the least loss to the greatest."""
        return np.argsort(self.losses, kind="stable")

    @property
    def best(self) -> np.ndarray:
        """The point (d,) of least loss."""
        return self.points[int(np.argmin(self.losses))]

    def winners(self, top: int = 1) -> np.ndarray:
        """The `top` points of least loss, best first, without diverged ones; shape (≤ top, d)."""
        order = self._order[:top]
        return self.points[order[np.isfinite(self.losses[order])]]

    def part(self, rows: np.ndarray) -> Task:
        """The task with some of its evaluations; `rows` holds indices, or is a mask (n,)."""
        curves = None if self.curves is None else self.curves[rows]
        return replace(self, points=self.points[rows], losses=self.losses[rows], curves=curves)

    def moved_to(self, point: np.ndarray) -> Task:
        """The task with all its evaluations at one point (d,)."""
        return replace(self, points=np.tile(point, (len(self.losses), 1)))

    def near_best(self, share: float) -> np.ndarray:
        """A mask (n,) of the given share of rows with the least loss, at least one row."""
        count = max(1, round(share * len(self.losses)))
        mask = np.zeros(len(self.losses), dtype=bool)
        mask[self._order[:count]] = True
        return mask
