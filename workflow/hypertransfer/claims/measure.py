"""What a claim can measure: measures by name, each with an interval over seeds.

A measure is a function of (tables, generator seed, *, options) that returns an estimate; it is
registered under its name.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.sweeps import common_seeds
from hypertransfer.analysis.tables import Tables, need, unique_runs
from hypertransfer.catalogue.cards import probes
from hypertransfer.runs.columns import ALONG_TRAINING, SECONDS

if TYPE_CHECKING:
    import pandas as pd


class ClaimError(ValueError):
    """A claim that cannot be measured: names the claim, what is known, and what to do."""


@dataclass(frozen=True)
class Measure:
    """A measure: a function of (tables, generator seed, *, options), and the value's unit.

    `table` is the table that a claim's `where` selects from, and `choices` the values that an
    option may have.
    """

    function: Callable[..., Estimate]
    unit: str
    table: str = "runs"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHOICES)

    @property
    def options(self) -> Mapping[str, object]:
        """The options by name, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


# The values and ranges of options, beside the types of their defaults.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "loss": ("final_loss", "eval_loss", *SECONDS, *probes.measured()),
    "quantity": (*probes.measured(), *ALONG_TRAINING),
    "axis": ("lr", "weight_decay"),
}
RANGES: Mapping[str, tuple[float, float]] = {
    "tail": (1e-6, 1),
    "burn_in": (0, 0.99),
    "window": (1, math.inf),
    "ceiling": (0, math.inf),
}
MEASURES: dict[str, Measure] = {}


def measure(
    unit: str, table: str = "runs", choices: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[Callable[..., Estimate]], Callable[..., Estimate]]:
    """Register a function under its name; its keyword-only parameters are its options.

    `choices` replace `CHOICES`.
    """

    def register(function: Callable[..., Estimate]) -> Callable[..., Estimate]:
        known = CHOICES if choices is None else choices
        MEASURES[function.__name__] = Measure(function, unit, table, known)
        return function

    return register


def one_size(size: str, value: float) -> str:
    """The caveat of a comparison of sizes for which one size was selected."""
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def runs_of_common_seeds(
    tables: Tables, size: str, *columns: str
) -> tuple[pd.DataFrame, list[str]]:
    """The selected runs of seeds that all sizes share, and a note on the seeds left out."""
    need("runs", tables["runs"], (size, "seed", "status", *columns))
    runs, left_out = common_seeds(unique_runs(tables), size)
    return runs, [f"{left_out} seeds are left out, not every {size} has them"] if left_out else []
