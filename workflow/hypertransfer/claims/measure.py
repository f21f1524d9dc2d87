"""The registry of measures: functions that compute a value with its interval from tables.

A measure is a function of (tables, level, *, options) that returns an estimate, whose interval
should cover with the probability `level`. The decorator `measure` registers the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypertransfer.analysis.arms import of_arms
from hypertransfer.analysis.estimate import Estimate
from hypertransfer.analysis.sweeps import Sweep, common_seeds, sweeps
from hypertransfer.analysis.tables import Tables, need, unique_runs
from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.distinct_runs import DistinctRuns
from hypertransfer.catalogue.options import MOST_COUNT, column
from hypertransfer.claims.bars import TIMES
from hypertransfer.claims.reach import UNBOUNDED, Range
from hypertransfer.runs.columns import ALONG_TRAINING, SECONDS

if TYPE_CHECKING:
    import pandas as pd


class ClaimError(ValueError):
    """A claim cannot be measured; the message names the claim, the known values and the remedy."""


# Options that several measures share. An option also has to have the type of its default. If its
# schema has `minLength` and its default is empty, a claim has to give it. See `catalogue.options`.
ARM: Mapping[str, Any] = {"minLength": 1, "value_in": "column"}
IN_RUNS = ("final_loss", "eval_loss", *SECONDS)
MEASURED = tuple(name for name in probes.measured() if name != "loss")  # the runs have another loss
LOSS_OR_MEASURED: Mapping[str, Any] = {"enum": [*IN_RUNS, *MEASURED], "measured": "once"}
SIZE = column(numbers="positive")
TWO_SIZES: Mapping[str, Mapping[str, Any]] = {"size": {**SIZE, "least_values": 2}}
SHARED: Mapping[str, Mapping[str, Any]] = {
    "size": SIZE,
    "column": column(),
    "between": column(),
    "along": column(numbers="any"),
    "axis": column(numbers="positive", enum=["lr", "weight_decay"]),
    "tuned_at": column(numbers="positive", minLength=0),
    **dict.fromkeys(("of", "over", "base", "joint"), ARM),
    "single": {**ARM, "separator": ","},
    "loss": {"enum": list(IN_RUNS)},
    "quantity": {"enum": [*probes.measured(), *ALONG_TRAINING], "measured": "every"},
    "tail": {"minimum": 1e-6, "maximum": 1},
    "until": {"minimum": 1e-6, "maximum": 1},
    "burn_in": {"minimum": 0, "maximum": 0.99},
    "window": {"minimum": 1, "maximum": MOST_COUNT},
    "ceiling": {"minimum": 0},
}


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    Attributes:
        function: a function of (tables, level, *, options), with the level of the interval.
        unit: unit of the value.
        table: name of the table from which a claim's `where` selects rows.
        schemas: schemas of options, which replace those in `SHARED`.
        values: the values that the measure can have.
        complete: whether a seed counts only if it ran every value of the swept axis.
        shrinks: whether the whole interval shrinks with the number of seeds (see `measure`).
    """

    function: Callable[..., Estimate]
    unit: str
    table: str = "runs"
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Range = UNBOUNDED
    complete: bool = False
    shrinks: bool = False

    @property
    def options(self) -> Mapping[str, object]:
        """The default of each option, by option."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    @property
    def is_ratio(self) -> bool:
        """Whether the value is a ratio, so that its interval is one of the logarithm."""
        return self.unit.startswith(TIMES)

    def bounds(self, options: Mapping[str, Any]) -> tuple[float, float]:
        """The least and the greatest possible value with the given options."""
        least, greatest, _ = self.values.reach(None, options)
        without_sign = not {**self.options, **options}.get("signed", True)
        return (max(least, 0.0) if without_sign else least), greatest

    def schema(self, option: str) -> Mapping[str, Any]:
        """What an option accepts beside values of the type of its default."""
        return self.schemas.get(option, SHARED.get(option, {}))

    def needs(self, option: str) -> bool:
        """Whether a claim has to give the option."""
        return self.options[option] == "" and self.schema(option).get("minLength", 0) > 0

    @property
    def distinct(self) -> DistinctRuns | None:
        """How the measure tells runs apart; None for tables of other rows than runs.

        A sweep has one run for each size, learning rate and seed, and a trajectory has one run for
        each size and seed.
        """
        if self.table != "runs":
            return None
        options = self.options
        told = [k for k in ("size", "column", "between", "tuned_at") if k in options]
        swept = next((k for k in ("axis", "along") if k in options), "lr")
        swept = [swept] if {"loss", "axis"} & set(options) else []
        arms = [k for k in ("of", "over", "base", "joint", "single") if k in options]
        return DistinctRuns((*told, *swept, "seed"), arms, by_key=True)


MEASURES: dict[str, Measure] = {}


def measure(
    unit: str,
    table: str = "runs",
    schemas: Mapping[str, Mapping[str, Any]] | None = None,
    values: Range = UNBOUNDED,
    complete: bool = False,
    shrinks: bool = False,
) -> Callable[[Callable[..., Estimate]], Callable[..., Estimate]]:
    """A decorator that registers a function under its name.

    The keyword-only parameters of the function are the options of the measure, and their defaults
    those of the options. An option with a name in `SHARED`, such as `size`, `loss` or `column`, has
    the schema that stands there, which planning checks, unless `schemas` has another for it: give
    an option that means something else another name or `schemas={"loss": {}}`.

    Args:
        unit: unit of the value.
        table: name of the table from which a claim's `where` selects rows.
        schemas: schemas of options that differ from those in `SHARED`, by option. Keywords of
            `catalogue.options`, such as `column_of`, say what a name refers to.
        values: the values that the measure can have, against which planning checks bars.
        complete: whether a seed counts only if it ran every value of the swept axis, which a grid
            that finds the axis does not promise.
        shrinks: whether the whole interval shrinks with the number of seeds. Otherwise the interval
            at two levels tells how far the part that stays reaches, such as a step of the grid.
            That is wrong for intervals whose width does not grow as Student's t with the level.

    How a measure tells runs apart (`Measure.distinct`) follows from the names of its options.
    """

    def register(function: Callable[..., Estimate]) -> Callable[..., Estimate]:
        MEASURES[function.__name__] = Measure(
            function, unit, table, schemas or {}, values, complete, shrinks
        )
        return function

    return register


def one_size(size: str, value: float) -> str:
    """The caveat of a comparison of sizes for which only one size was selected."""
    return f"only one {size} was selected ({value:g}), and a comparison needs two"


def runs_of_common_seeds(
    tables: Tables, size: str, *columns: str, axis: str | None = None, complete: bool = False
) -> tuple[pd.DataFrame, int]:
    """The selected runs whose seeds occur at every size, and the number of seeds left out.

    With `axis`, seeds need runs at two values of the axis that a size was swept over; with
    `complete`, at every value.

    Raises:
        AnalysisError: a column is missing, or no seed occurs at every size.
    """
    needed = (size, "seed", "status", *columns, *([axis] if axis else []))
    need("runs", tables["runs"], needed)
    return common_seeds(unique_runs(tables), size, axis, complete=complete)


def sweeps_of_arms_over_sizes(
    tables: Tables, column: str, arms: Sequence[str], size: str, loss: str
) -> tuple[list[list[Sweep]], int]:
    """The sweeps of each arm over sizes, with the same seeds, and the number of seeds left out.

    Raises:
        AnalysisError: a column is missing, an arm has no runs, or no seed counts.
        ClaimError: an arm has runs at one size only.
    """
    runs = of_arms(unique_runs(tables), column, loss, arms)
    need("runs", runs, (size, "seed", "status", "lr"))
    runs, left_out = common_seeds(runs, [column, size], "lr")
    swept = [sweeps(runs[runs[column] == arm], size, loss) for arm in arms]
    if any(len(of_sizes) < 2 for of_sizes in swept):
        raise ClaimError(f"{' and '.join(arms)} need runs at two or more values of {size}")
    return swept, left_out
