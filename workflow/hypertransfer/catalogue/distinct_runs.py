"""The columns by which a figure or a measure tells runs apart, so that planning finds doubles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class DistinctRuns:
    """The demand that no two runs have equal values of some columns.

    Names in `by` are options that name a column, which may be empty, or else columns.

    Attributes:
        by: the columns.
        arms: options that name the arms to which the demand applies; all runs if empty.
        grid: option that names the grid to which the demand applies; all grids if empty.
        when: option without which there is no demand.
        each: option with a list of mappings; the demand applies with the values of each of them.
        by_key: whether a run that several grids have counts as one.
    """

    by: Sequence[str]
    arms: Sequence[str] = ()
    grid: str = ""
    when: str = ""
    each: str = ""
    by_key: bool = False
