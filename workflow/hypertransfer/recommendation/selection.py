"""The arms of a study: runs that differ in size, learning rate and seed alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.analysis.lazy import pandas as pd
from hypertransfer.recommendation.observations import FEWEST_RATES, SIZE
from hypertransfer.runs.columns import SUMMARY
from hypertransfer.runs.spec import FIELDS, RunSpec
from hypertransfer.runs.table_values import name_of

# Columns that vary inside an arm: bases may follow the size.
BASES = ("base.width", "base.depth", "base_batch_size", "base_steps")
INSIDE = {"key", "grid", "lr", "seed", *SIZE, *SUMMARY}


@dataclass(frozen=True)
class Arm:
    """The runs of a grid, or of several, that have equal values in all columns but `INSIDE`.

    Attributes:
        grids: the names of the grids.
        values: of the columns that differ between the arms of a grid, as texts.
        runs: the rows of the runs table.
    """

    grids: tuple[str, ...]
    values: Mapping[str, str]
    runs: pd.DataFrame

    @property
    def label(self) -> str:
        """The grids and the values, as `--grid` and `--where` take them."""
        return " ".join([*self.grids, *(f"{name}={value}" for name, value in self.values.items())])

    @property
    def text(self) -> str:
        """The grids and the values, as a part of a sentence."""
        grids = ("grid " if len(self.grids) == 1 else "grids ") + " and ".join(self.grids)
        values = " and ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{grids} with {values}" if values else grids


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
                yield Arm((str(grid),), dict(zip(varied, texts, strict=True)), own)


def joined(found: Sequence[Arm], spec_of: Callable[[str], RunSpec]) -> Arm:
    """Several arms as one, such as the sweeps over the width and over the depth.

    A run that is in several arms, such as those of the base, counts once, also where the loss is
    recorded at other steps. Runs tables do not show all options, and so specs are compared.

    Args:
        found: the arms.
        spec_of: the spec of the run with a key.

    Raises:
        AnalysisError: the arms differ in more than the size, learning rates and seeds: in an option
            of the optimizer, or in a base that does not follow the size.
    """
    if len(found) == 1:
        return found[0]
    keys = [key for arm in found for key in arm.runs.drop_duplicates(list(SIZE))["key"]]
    specs = list(map(spec_of, keys))
    if differing := sorted({*_differing(specs), *_bases(specs)}):
        raise AnalysisError(f"they differ in {', '.join(differing)}")
    runs = pd.concat([arm.runs for arm in found], ignore_index=True).drop_duplicates("key")
    # Runs of two grids may differ in how often the loss is recorded alone, over which it is a mean.
    alike = [*SIZE, "lr", "seed"]
    texts = runs["final_loss"].map("{:.9g}".format)
    if texts.groupby([runs[name] for name in alike]).nunique().max() > 1:
        raise AnalysisError("their log_every and eval_every give one run different final losses")
    runs = runs.drop_duplicates(alike)
    grids = dict.fromkeys(grid for arm in found for grid in arm.grids)
    values = {name: value for arm in found for name, value in arm.values.items()}
    return Arm(tuple(grids), values, runs)


def _rest(spec: RunSpec) -> RunSpec:
    """A spec without the size, the base, and all that runs of an arm may differ in."""
    return replace(
        spec,
        shape=replace(spec.shape, width=1, depth=1),
        base=replace(spec.base, width=1, depth=1),
        **dict.fromkeys(("batch_size", "base_batch_size", "steps", "base_steps"), 1),
        **dict.fromkeys(("lr", "seed", "log_every", "eval_every"), 1),
        checkpoints=(),
    )


def _differing(specs: Sequence[RunSpec]) -> list[str]:
    """The keys of a config, beside sizes and bases, in which specs differ."""
    rests = [_rest(spec).plain() for spec in specs]
    return [name for name in FIELDS if any(rest[name] != rests[0][name] for rest in rests)]


def _bases(specs: Sequence[RunSpec]) -> Iterator[str]:
    """The bases that differ between specs and do not follow the size."""
    pairs = {
        "base.width": [(spec.shape.width, spec.base.width) for spec in specs],
        "base.depth": [(spec.shape.depth, spec.base.depth) for spec in specs],
        "base_batch_size": [(spec.batch_size, spec.base_batch_size) for spec in specs],
        "base_steps": [(spec.steps, spec.base_steps) for spec in specs],
    }
    for name, both in pairs.items():
        if len({base for _, base in both}) > 1 and any(size != base for size, base in both):
            yield name


def _follows(values: pd.Series, runs: pd.DataFrame) -> bool:
    """Whether a base has one value at each size, and so follows the size."""
    sizes = [runs[column] for column in SIZE]
    return values.name in BASES and values.groupby(sizes).nunique().max() == 1


def chosen(found: list[Arm], grids: Collection[str], where: Mapping[str, str]) -> list[Arm]:
    """The arms of some grids, or of all if none is named, that have some values."""
    return [
        arm
        for arm in found
        if (not grids or set(arm.grids) <= set(grids))
        and all(_value(arm, column) == value for column, value in where.items())
    ]


def _value(arm: Arm, column: str) -> str | None:
    if column in arm.values:
        return arm.values[column]
    if column in INSIDE or column not in arm.runs:
        return None
    return name_of(arm.runs[column].iloc[0])
