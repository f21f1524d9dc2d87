"""What a claim can measure: measures by name, each with an interval over seeds.

A measure is a function of (tables, generator seed, *, options); it is registered under its name.
Names and options are checked when the workflow is planned, so these modules stay free of pandas
and scipy until something is measured.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypertransfer.analysis.estimate import need
from hypertransfer.catalogue.cards import probes
from hypertransfer.runs.columns import ALONG_TRAINING, SECONDS

if TYPE_CHECKING:
    import pandas as pd


Tables = Mapping[str, "pd.DataFrame"]


class ClaimError(ValueError):
    """A claim that cannot be measured: names the claim, what is known, and what to do."""


@dataclass(frozen=True)
class Measured:
    """A measured value with its interval over seeds; an end that the runs leave open is ±inf.

    `caveat` tells a reader what limits the measurement, such as an optimum on the grid's edge.
    """

    value: float
    low: float
    high: float
    seeds: int
    caveat: str = ""
    over: str = "seeds"  # what the interval is over, and counted by `seeds`

    @property
    def lower_bound_only(self) -> bool:
        """Whether only a lower bound is known."""
        return math.isfinite(self.low) and self.high == math.inf

    @property
    def upper_bound_only(self) -> bool:
        """Whether only an upper bound is known."""
        return math.isfinite(self.high) and self.low == -math.inf


@dataclass(frozen=True)
class Measure:
    """A measure: a function of (tables, generator seed, *, options), and the value's unit.

    `table` is the one that a claim's `where` selects from.
    """

    function: Callable[..., Measured]
    unit: str
    table: str = "runs"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHOICES)

    @property
    def options(self) -> Mapping[str, object]:
        """The options by name, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


CHOICES: Mapping[str, tuple[str, ...]] = {
    "loss": ("final_loss", "eval_loss", *SECONDS, *probes.measured()),
    "quantity": (*probes.measured(), *ALONG_TRAINING),
    "axis": ("lr", "weight_decay"),
}  # fmt: skip
RANGES: Mapping[str, tuple[float, float]] = {
    "tail": (1e-6, 1), "burn_in": (0, 0.99), "window": (1, math.inf), "ceiling": (0, math.inf),
}  # fmt: skip
MEASURES: dict[str, Measure] = {}


def measure(
    unit: str, table: str = "runs", choices: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[Callable[..., Measured]], Callable[..., Measured]]:
    """Register a function under its name; its keyword-only parameters are its options.

    `choices` are the values of options that have no others.
    """

    def register(function: Callable[..., Measured]) -> Callable[..., Measured]:
        known = CHOICES if choices is None else choices
        MEASURES[function.__name__] = Measure(function, unit, table, known)
        return function

    return register


def one_size(size: str, value: float) -> str:
    """The caveat where only one size was selected."""
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def runs_of_common_seeds(
    tables: Tables, size: str, *columns: str
) -> tuple[pd.DataFrame, list[str]]:
    """The selected runs of seeds that all sizes share, and a note on the seeds left out."""
    from hypertransfer.analysis import sweeps as analysis_sweeps

    runs = tables["runs"]
    need("runs", runs, (size, "seed", "status", *columns))
    runs, left_out = analysis_sweeps.common_seeds(runs.drop_duplicates("key"), size)
    return runs, [f"{left_out} seeds are left out, not every {size} has them"] if left_out else []
