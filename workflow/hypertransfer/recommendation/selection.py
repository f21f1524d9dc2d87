"""The arms of a study: runs that differ in size, learning rate and seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.recommendation.observations import FEWEST_RATES, SIZE
from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.table_values import name_of

# Columns that vary inside an arm: bases may follow the size.
BASES = ("base.width", "base.depth", "base_batch_size", "base_steps")
INSIDE = {"key", "grid", "lr", "seed", *SIZE, *SUMMARY}


@dataclass(frozen=True)
class Arm:
    """The runs of one grid that have equal values in all columns but `INSIDE`.

    Attributes:
        grid: the name of the grid.
        values: of the columns that differ between the arms of the grid, as texts.
        runs: the rows of the runs table.
    """

    grid: str
    values: Mapping[str, str]
    runs: pd.DataFrame

    @property
    def label(self) -> str:
        """The grid and the values, as `--grid` and `--where` take them."""
        return " ".join([self.grid, *(f"{name}={value}" for name, value in self.values.items())])


def arms(runs: pd.DataFrame) -> Iterator[Arm]:
    """The arms of a study that have a learning-rate sweep of at least one size."""
    for grid, part in runs.groupby("grid", sort=False):
        named = pd.DataFrame(
            {c: list(map(name_of, part[c])) for c in part if c not in INSIDE}, index=part.index
        )
        varied = [
            column
            for column in named
            if named[column].nunique() > 1 and not _follows(named[column], part)
        ]
        groups = named.groupby(varied, sort=False).groups if varied else {(): part.index}
        for values, rows in groups.items():
            own = part.loc[rows]
            if own.groupby(list(SIZE))["lr"].nunique().max() >= FEWEST_RATES:
                texts = values if isinstance(values, tuple) else (values,)
                yield Arm(str(grid), dict(zip(varied, texts, strict=True)), own)


def _follows(values: pd.Series, runs: pd.DataFrame) -> bool:
    """Whether a base has one value at each size, and so follows the size."""
    sizes = [runs[column] for column in SIZE]
    return values.name in BASES and values.groupby(sizes).nunique().max() == 1


def chosen(found: list[Arm], grid: str | None, where: Mapping[str, str]) -> list[Arm]:
    """The arms of a grid that have some values; of a column that all arms share, any value."""
    return [
        arm
        for arm in found
        if grid in (None, arm.grid)
        and all(_value(arm, column) == value for column, value in where.items())
    ]


def _value(arm: Arm, column: str) -> str | None:
    if column in arm.values:
        return arm.values[column]
    if column in INSIDE or column not in arm.runs:
        return None
    return name_of(arm.runs[column].iloc[0])
