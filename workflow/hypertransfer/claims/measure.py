"""The registry of measures: functions that compute a value with its interval from tables.

A measure is a function of (tables, generator seed, *, options) that returns an estimate. The
decorator `measure` registers the function under its name.
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
    """A claim cannot be measured; the message names the claim, the known values and the remedy."""


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    Attributes:
        function: a function of (tables, generator seed, *, options).
        unit: unit of the value.
        table: name of the table from which a claim's `where` selects rows.
        choices: the allowed values of options, by option.
    """

    function: Callable[..., Estimate]
    unit: str
    table: str = "runs"
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHOICES)

    @property
    def options(self) -> Mapping[str, object]:
        """The default of each option, by option."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


# Allowed values and ranges of options. An option also has to have the type of its default.
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
    """A decorator that registers a function under its name.

    The keyword-only parameters of the function are the options of the measure.

    Args:
        unit: unit of the value.
        table: name of the table from which a claim's `where` selects rows.
        choices: the allowed values of options, by option; `CHOICES` if None.
    """

    def register(function: Callable[..., Estimate]) -> Callable[..., Estimate]:
        known = CHOICES if choices is None else choices
        MEASURES[function.__name__] = Measure(function, unit, table, known)
        return function

    return register


def one_size(size: str, value: float) -> str:
    """The caveat of a comparison of sizes for which only one size was selected."""
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def runs_of_common_seeds(
    tables: Tables, size: str, *columns: str, axis: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The selected runs whose seeds occur at every size, and a note on the seeds left out.

    With `axis`, seeds need a run at every value of the axis that a size was swept over.

    Raises:
        AnalysisError: a column is missing, or no seed occurs at every size.
    """
    needed = (size, "seed", "status", *columns, *([axis] if axis else []))
    need("runs", tables["runs"], needed)
    runs, left_out = common_seeds(unique_runs(tables), size, axis)
    return runs, left_out_note(left_out, size, axis)


def left_out_note(count: int, size: str, axis: str | None = None) -> list[str]:
    """A note on the number of seeds that are left out; none if there are none."""
    if not count:
        return []
    seeds, them = ("1 seed is", "it") if count == 1 else (f"{count} seeds are", "them")
    place = f"at every {axis}" if axis else ""
    return [" ".join(f"{seeds} left out, not every {size} has {them} {place}".split())]
